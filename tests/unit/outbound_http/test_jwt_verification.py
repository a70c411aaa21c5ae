"""Which tokens of peers are believed."""

import asyncio
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from connector_spi.errors import InvalidInputError, PeerUnavailableError, UnauthenticatedError
from outbound_http.guarded_client import guarded_client
from outbound_http.jwks import JWKS_MAX_BYTES, FetchedKeys, InlineKeys, PublicKeys
from outbound_http.jwt_verification import JwtVerifier, TokenRules, bearer_token, claimed
from tests.loopback_server import answering, loopback_server
from tests.unit.data_plane.fakes import NOON, ManualClock
from tests.unit.outbound_http.signing_party import SigningParty, public_jwk
from tests.unit.outbound_http.test_oauth2_tokens import OPEN, Watch

NOW = int(NOON.timestamp())


def verifier(keys: PublicKeys | None, **rules: Any) -> JwtVerifier:
    stated = {"audience": "us", "issuer": "them", "subject": "them", **rules}
    return JwtVerifier(keys, TokenRules(**stated), ManualClock(), insecure=keys is None)


async def test_a_good_token_is_believed() -> None:
    party = SigningParty()
    claims = await verifier(InlineKeys(party.jwks)).claims(party.token(extra="fact"))
    assert (claims["sub"], claims["extra"]) == ("them", "fact")


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "others"},
        {"aud": None},
        {"aud": ["others"]},
        {"iss": "another"},
        {"iss": None},
        {"sub": "another"},
        {"sub": None},
        {"exp": NOW - 31},
        {"exp": None},
        {"exp": "never"},
        {"exp": True},
        {"iat": NOW + 31},
        {"iat": None},
        {"nbf": NOW + 31},
        {"exp": NOW + 86_401},
        {"exp": 1e400},
        {"exp": 10**400},
        {"iat": -(10**400)},
    ],
)
async def test_a_token_that_says_something_else_is_refused(claims: dict[str, Any]) -> None:
    party = SigningParty()
    with pytest.raises(UnauthenticatedError):
        await verifier(InlineKeys(party.jwks)).claims(party.token(**claims))


@pytest.mark.parametrize("claims", [{"exp": NOW - 29}, {"iat": NOW + 29}, {"aud": ["others", "us"]}])
async def test_clocks_may_differ_a_little_and_there_may_be_more_audiences(claims: dict[str, Any]) -> None:
    party = SigningParty()
    await verifier(InlineKeys(party.jwks)).claims(party.token(**claims))


async def test_a_signature_by_another_key_is_refused() -> None:
    party, stranger = SigningParty(), SigningParty()
    with pytest.raises(UnauthenticatedError):
        await verifier(InlineKeys(party.jwks)).claims(stranger.token())


async def test_an_unsigned_token_and_one_signed_with_the_public_key_as_a_secret_are_refused() -> None:
    party = SigningParty()
    unsigned = jwt.encode(jwt.decode(party.token(), options={"verify_signature": False}), "", algorithm="none")
    symmetric = party.token(algorithm="HS256", key="x" * 32)
    keys = InlineKeys({"keys": [*party.jwks["keys"], {"kty": "oct", "k": "eA", "kid": "k1"}]})
    for token in (unsigned, symmetric, "", "a.b.c", "x" * 20_000):
        with pytest.raises(UnauthenticatedError):
            await verifier(keys).claims(token)


async def test_rsa_with_pss_is_taken_too() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    jwk = {**jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "k1"}
    party = SigningParty()
    # An RSA key without `alg` is taken for RS256 by the library; the token decides among those that fit.
    token = party.token(algorithm="RS256", key=key)
    assert (await verifier(InlineKeys({"keys": [jwk]})).claims(token))["sub"] == "them"
    pss = party.token(algorithm="PS256", key=key)
    assert (await verifier(InlineKeys({"keys": [{**jwk, "alg": "PS256"}]})).claims(pss))["sub"] == "them"


async def test_every_key_is_tried_for_a_token_that_names_none() -> None:
    party, other = SigningParty(kid=None), SigningParty()
    keys = InlineKeys({"keys": [public_jwk(other.key, "a"), public_jwk(party.key, "b")]})
    await verifier(keys).claims(party.token())


async def test_a_token_is_accepted_once_where_that_is_asked_for() -> None:
    party = SigningParty()
    once = verifier(InlineKeys(party.jwks), once=True)
    await once.claims(party.token(jti="a"))
    await once.claims(party.token(jti="b"))
    for token in (party.token(jti="a"), party.token(jti=None)):
        with pytest.raises(UnauthenticatedError):
            await once.claims(token)


async def test_without_keys_only_what_the_token_says_is_checked_and_only_when_that_is_wished() -> None:
    stranger = SigningParty()
    assert (await verifier(None).claims(stranger.token()))["sub"] == "them"
    with pytest.raises(UnauthenticatedError):
        await verifier(None).claims(stranger.token(aud="others"))
    with pytest.raises(ValueError, match="keys"):
        JwtVerifier(None, TokenRules(audience="us"), ManualClock())


async def test_keys_are_fetched_once_and_again_for_a_new_key_but_not_for_every_stranger() -> None:
    party, watch = SigningParty(), Watch()
    async with loopback_server(party.respond) as server, guarded_client(OPEN, call_seconds=5) as client:
        check = verifier(FetchedKeys(client, f"{server.address}/jwks", floor_seconds=10, monotonic=watch))
        await check.claims(party.token())
        await check.claims(party.token())
        assert len(server.requests) == 1
        party.rotate("k2")
        for _ in range(3):
            with pytest.raises(PeerUnavailableError, match="a moment ago"):
                await check.claims(party.token())
        assert len(server.requests) == 1
        watch.seconds = 11
        await check.claims(party.token())
        assert len(server.requests) == 2


async def test_a_token_that_is_refused_anyway_makes_nobody_fetch_keys() -> None:
    party = SigningParty()
    async with loopback_server(party.respond) as server, guarded_client(OPEN, call_seconds=5) as client:
        with pytest.raises(UnauthenticatedError):
            await verifier(FetchedKeys(client, server.address)).claims(party.token(aud="others"))
    assert server.connections == 0


@pytest.mark.parametrize("body", [b"no json", b"[]", b"x" * (JWKS_MAX_BYTES + 1)])
async def test_keys_that_cannot_be_read_are_a_passing_trouble(body: bytes) -> None:
    party = SigningParty()
    async with loopback_server(answering(body)) as server, guarded_client(OPEN, call_seconds=5) as client:
        with pytest.raises(PeerUnavailableError):
            await verifier(FetchedKeys(client, server.address)).claims(party.token())


async def test_a_key_that_is_for_no_signature_does_not_hide_the_others() -> None:
    party = SigningParty()
    keys = InlineKeys({"keys": [{**key, "alg": "none"} for key in party.jwks["keys"]] + party.jwks["keys"]})
    await verifier(keys).claims(party.token())


@pytest.mark.parametrize("jwks", [{}, {"keys": "x"}, {"keys": [{"kty": "oct", "k": "eA"}, {"kty": "EC"}, 7]}])
def test_a_set_without_a_public_key_is_refused(jwks: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        InlineKeys(jwks)


@pytest.mark.parametrize(
    ("header", "token"), [("Bearer abc", "abc"), ("bearer  abc ", "abc"), ("Basic abc", ""), (None, ""), ("Bearer", "")]
)
def test_the_bearer_token_of_a_header(header: str | None, token: str) -> None:
    assert bearer_token(header) == token


async def test_an_unknown_key_is_refused_once_the_address_has_been_asked_for_it() -> None:
    party, stranger = SigningParty(), SigningParty(kid="k2")
    async with loopback_server(party.respond) as server, guarded_client(OPEN, call_seconds=5) as client:
        with pytest.raises(UnauthenticatedError):
            await verifier(FetchedKeys(client, server.address)).claims(stranger.token())


async def test_a_token_is_not_refused_because_the_address_of_the_keys_does_not_answer() -> None:
    party, watch = SigningParty(), Watch()
    down = answering(b"{}", status="503 Service Unavailable")
    async with loopback_server(down) as server, guarded_client(OPEN, call_seconds=5) as client:
        check = verifier(FetchedKeys(client, server.address, floor_seconds=10, monotonic=watch))
        for _ in range(3):
            with pytest.raises(PeerUnavailableError):
                await check.claims(party.token())
        assert len(server.requests) == 1


async def test_a_key_of_another_kind_that_comes_first_does_not_hide_the_right_one() -> None:
    party = SigningParty(kid=None)
    rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    other = jwt.algorithms.RSAAlgorithm.to_jwk(rsa_key.public_key(), as_dict=True)
    await verifier(InlineKeys({"keys": [other, public_jwk(party.key, None)]})).claims(party.token())


async def test_a_token_without_a_subject_is_believed_only_where_another_claim_names_its_sender() -> None:
    party = SigningParty()
    token = party.token(sub=None, azp="them")
    assert (await verifier(InlineKeys(party.jwks), subject=None, subject_required=False).claims(token))["azp"] == "them"
    with pytest.raises(UnauthenticatedError):
        await verifier(InlineKeys(party.jwks), subject=None).claims(token)


def test_what_a_token_says_of_itself() -> None:
    party = SigningParty()
    assert claimed(party.token(), "iss") == "them"
    for token, name in (
        (party.token(iss=None), "iss"),
        (party.token(), "iat"),
        ("a.b.c", "iss"),
        ("x" * 20_000, "iss"),
    ):
        assert claimed(token, name) == ""


async def test_whoever_waited_for_an_address_in_vain_does_not_wait_for_it_once_more() -> None:
    party, watch = SigningParty(), Watch()

    async def slow(writer: asyncio.StreamWriter) -> None:
        watch.seconds += 60
        await answering(b"{}", status="503 Service Unavailable")(writer)

    async with loopback_server(slow) as server, guarded_client(OPEN, call_seconds=5) as client:
        check = verifier(FetchedKeys(client, server.address, floor_seconds=10, monotonic=watch))
        answers = await asyncio.gather(*(check.claims(party.token()) for _ in range(5)), return_exceptions=True)
        assert [type(answer) for answer in answers] == [PeerUnavailableError] * 5
        assert len(server.requests) == 1
