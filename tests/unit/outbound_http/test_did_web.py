"""Keys of participants that are named by a did:web."""

from typing import Any

import pytest

from connector_spi.errors import PeerUnavailableError, UnauthenticatedError
from outbound_http.did_web import DidWebKeys, document_url
from outbound_http.guarded_client import guarded_client
from tests.loopback_server import LoopbackServer, loopback_server
from tests.unit.outbound_http.signing_party import SigningParty, public_jwk
from tests.unit.outbound_http.test_oauth2_tokens import OPEN


@pytest.mark.parametrize(
    ("did", "url"),
    [
        ("did:web:example.org", "https://example.org/.well-known/did.json"),
        ("did:web:example.org%3A8443", "https://example.org:8443/.well-known/did.json"),
        ("did:web:example.org:participants:a", "https://example.org/participants/a/did.json"),
        ("did:web:localhost%3A8083", "http://localhost:8083/.well-known/did.json"),
    ],
)
def test_where_a_document_is(did: str, url: str) -> None:
    assert document_url(did, http_hosts={"localhost:8083"}) == url


@pytest.mark.parametrize(
    "did",
    [
        "did:key:z6Mk",
        "did:web:",
        "did:web:user@example.org",
        "did:web:example.org%2Fpath",
        "did:web:example.org:..",
        "did:web:example.org:a%2Fb",
        "did:web:example.org:",
        "did:web:exa mple.org",
        "did:web:example.org%3A8443%3A1",
        "https://example.org",
    ],
)
def test_what_is_no_did_web_is_refused(did: str) -> None:
    with pytest.raises(UnauthenticatedError):
        document_url(did)


def published(party: SigningParty, server: LoopbackServer, *, relative: bool = False) -> str:
    """Let the party publish its document on the server; its DID."""
    did = f"did:web:127.0.0.1%3A{server.port}"

    def document() -> dict[str, Any]:
        name = f"#{party.kid}" if relative else f"{did}#{party.kid}"
        return {"id": did, "verificationMethod": [{"id": name, "publicKeyJwk": public_jwk(party.key, None)}, {"id": 1}]}

    party.document = document
    return did


@pytest.mark.parametrize("relative", [False, True])
async def test_a_key_is_found_by_its_full_name(*, relative: bool) -> None:
    party = SigningParty()
    async with loopback_server(party.respond) as server, guarded_client(OPEN, call_seconds=5) as client:
        did = published(party, server, relative=relative)
        keys = DidWebKeys(client, http_hosts=[f"127.0.0.1:{server.port}"])
        [found] = await keys.candidates(did, f"{did}#k1")
        assert found.key_id == f"{did}#k1"
        with pytest.raises(PeerUnavailableError, match="a moment ago"):
            await keys.candidates(did, f"{did}#other")
    assert server.requests[0].startswith("GET /.well-known/did.json ")


async def test_the_document_of_another_party_is_refused() -> None:
    party = SigningParty()
    async with loopback_server(party.respond) as server, guarded_client(OPEN, call_seconds=5) as client:
        did = published(party, server)
        party.document = lambda: {"id": "did:web:elsewhere.example"}
        with pytest.raises(UnauthenticatedError):
            await DidWebKeys(client, http_hosts=[f"127.0.0.1:{server.port}"]).candidates(did, None)


@pytest.mark.parametrize("relationship", ["authentication", "capabilityInvocation"])
async def test_only_the_keys_of_one_relationship_are_taken_where_that_is_asked_for(relationship: str) -> None:
    party, other, embedded = SigningParty(), SigningParty(), SigningParty()
    async with loopback_server(party.respond) as server, guarded_client(OPEN, call_seconds=5) as client:
        did = f"did:web:127.0.0.1%3A{server.port}"
        methods = [
            {"id": f"{did}#k1", "publicKeyJwk": public_jwk(party.key, None)},
            {"id": "#k2", "publicKeyJwk": public_jwk(other.key, None)},
        ]
        related = ["#k1", {"id": "#k3", "publicKeyJwk": public_jwk(embedded.key, None)}, 7]
        party.document = lambda: {"id": did, "verificationMethod": methods, relationship: related}
        keys = DidWebKeys(client, http_hosts=[f"127.0.0.1:{server.port}"], relationship=relationship)
        assert {key.key_id for key in await keys.candidates(did, None)} == {f"{did}#k1", f"{did}#k3"}
