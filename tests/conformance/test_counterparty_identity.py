"""One suite over every CounterpartyIdentity; what one of them does not promise is shown, and not asked of it."""

import base64
import json
import logging
from collections.abc import AsyncIterator
from typing import Any, Final

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from connector_spi.errors import UnauthenticatedError
from control_plane.domain.participant import Participant
from control_plane.protocol_api.authentication import HEADER_MAX, authenticated
from tests.conformance.counterparty_identities import (
    ONCE,
    RECEIVER,
    SENDER,
    SUBJECTS,
    TIME,
    IdentitiesUnderTest,
    Subject,
)
from tests.unit.control_plane.keys import public_pem

NOTHING: Final = frozenset[str]()


def promising(*promises: str) -> pytest.MarkDecorator:
    """Runs over the identities that promise all of this."""
    chosen = [subject for subject in SUBJECTS if subject.promises >= set(promises)]
    return pytest.mark.parametrize("subject", chosen, ids=str)


@pytest.fixture
async def identities(subject: Subject) -> AsyncIterator[IdentitiesUnderTest]:
    async with subject.open() as opened:
        yield opened


async def refused(identities: IdentitiesUnderTest, header: str | None) -> bool:
    """Whether Bob refuses it."""
    try:
        await identities.of["bob"].authenticate(header)
    except UnauthenticatedError:
        return True
    return False


def test_what_each_identity_promises() -> None:
    everything = {SENDER, RECEIVER, TIME, ONCE}
    assert {subject.name: everything - subject.promises for subject in SUBJECTS} == {
        "key": NOTHING,
        "key-from-did-web": NOTHING,
        "dcp-id-token": NOTHING,
        "oauth2": {ONCE},
        "client-id": everything,
    }


@promising()
async def test_each_side_knows_who_the_other_one_is(identities: IdentitiesUnderTest) -> None:
    for sender, receiver in (("alice", "bob"), ("bob", "alice"), ("carol", "bob"), ("alice", "carol")):
        header = await identities.header(sender, receiver)
        caller = await authenticated(identities.of[receiver], header)
        assert caller.id == identities.ids[sender]


@promising()
async def test_messages_in_a_row_are_all_accepted(identities: IdentitiesUnderTest) -> None:
    for _ in range(3):
        assert (await identities.of["bob"].authenticate(await identities.header())).id == identities.ids["alice"]


RUBBISH: Final = {
    "missing": None,
    "empty": "",
    "a scheme alone": "Bearer ",
    "another scheme": "Basic dXNlcjpwYXNz",
    "no token": "Bearer rubbish",
    "three parts of nothing": "Bearer a.b.c",
    "not ASCII": "Bearer \u00e9.\u00e9.\u00e9",
    "half a surrogate pair": "\ud800",
    "empty parts": "Bearer ..",
    "a list": "[]",
    "an object without members": "{}",
    "a name that is a number": '{"clientId": 1}',
    "a name of nothing": '{"clientId": ""}',
    "a name with a blank": '{"clientId": "a b"}',
    "a name with NUL": '{"clientId": "a\\u0000"}',
    "a name that is too long": json.dumps({"clientId": "x" * 600}),
    "deep": "[" * 3000,
    "deep token": f"Bearer {base64.urlsafe_b64encode(b'[' * 9000).decode()}.e30.e30",
    "huge": "Bearer " + "x" * (HEADER_MAX + 1),
    "a huge object": json.dumps({"clientId": "alice-lab", "x": "x" * HEADER_MAX}),
}


@promising()
async def test_rubbish_is_refused(identities: IdentitiesUnderTest) -> None:
    for what, header in RUBBISH.items():
        assert await refused(identities, header), what


@promising(SENDER)
async def test_a_header_without_its_scheme_is_refused(identities: IdentitiesUnderTest) -> None:
    token = (await identities.header()).removeprefix("Bearer ")
    assert await refused(identities, token)
    assert await refused(identities, f"Basic {token}")
    assert not await refused(identities, f"bearer {token}"), "the scheme's case does not matter"


@promising(SENDER)
async def test_a_stranger_under_a_known_name_is_refused(identities: IdentitiesUnderTest) -> None:
    header = await identities.stranger.authorization_for(identities.peer("bob"))
    assert await refused(identities, header)


@promising(SENDER)
async def test_a_token_that_was_changed_is_refused(identities: IdentitiesUnderTest) -> None:
    head, body, signature = (await identities.header()).split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    for name, value in claims.items():
        other = {**claims, name: value + 1 if isinstance(value, int) else identities.ids["carol"]}
        changed = base64.urlsafe_b64encode(json.dumps(other).encode()).decode().rstrip("=")
        assert await refused(identities, f"{head}.{changed}.{signature}"), name
    assert await refused(identities, f"{head}.{body}.{signature[::-1]}")
    assert await refused(identities, f"{head}.{body}.")


@promising(SENDER)
async def test_an_unsigned_token_and_one_signed_with_the_public_key_as_a_secret_are_refused(
    identities: IdentitiesUnderTest,
) -> None:
    assert identities.signer is not None
    token = (await identities.header()).removeprefix("Bearer ")
    claims = jwt.decode(token, options={"verify_signature": False})
    headers = {"kid": kid} if (kid := jwt.get_unverified_header(token).get("kid")) else None
    assert await refused(identities, "Bearer " + jwt.encode(claims, "", algorithm="none", headers=headers))
    symmetric = jwt.PyJWS()
    symmetric._algorithms["HS256"].prepare_key = lambda key: key  # type: ignore[method-assign]
    secret = public_pem(identities.signer()).encode()
    forged = symmetric.encode(json.dumps(claims).encode(), secret, algorithm="HS256", headers=headers)
    assert await refused(identities, f"Bearer {forged}")


@promising(SENDER)
async def test_a_token_by_a_key_of_its_own_is_refused(identities: IdentitiesUnderTest) -> None:
    identities.signer = lambda: ec.generate_private_key(ec.SECP256R1())
    assert await refused(identities, await identities.forged())


@promising(SENDER)
@pytest.mark.parametrize("claims", [{"iss": "https://elsewhere.example"}, {"iss": None}, {"iss": ""}])
async def test_a_token_of_another_issuer_is_refused(identities: IdentitiesUnderTest, claims: dict[str, Any]) -> None:
    assert await refused(identities, await identities.forged(**claims))


@promising(RECEIVER)
async def test_a_token_for_somebody_else_is_refused(identities: IdentitiesUnderTest) -> None:
    assert await refused(identities, await identities.header("alice", "carol"))
    assert await refused(identities, await identities.header("bob", "alice")), "not even the receiver's own one"
    for audience in (None, "", [], [identities.ids["carol"]], {"a": 1}):
        assert await refused(identities, await identities.forged(aud=audience)), audience


@promising(SENDER, ONCE)
@pytest.mark.parametrize("subject_claim", [None, "", "carol"])
async def test_a_token_that_each_signs_itself_names_its_sender_twice(
    identities: IdentitiesUnderTest, subject_claim: str | None
) -> None:
    named = identities.ids.get(subject_claim or "", subject_claim)
    assert await refused(identities, await identities.forged(sub=named))


DAY: Final = 86_400


@promising(TIME)
async def test_a_token_of_another_time_is_refused(identities: IdentitiesUnderTest) -> None:
    token = (await identities.header()).removeprefix("Bearer ")
    now = jwt.decode(token, options={"verify_signature": False})["iat"]
    for claims in (
        {"iat": now - 900, "nbf": now - 900, "exp": now - 600},
        {"iat": now + 600, "nbf": now + 600, "exp": now + 660},
        {"nbf": now + 600},
        {"exp": now + 8 * DAY},
        {"exp": None},
        {"iat": None},
        {"exp": str(now + 60)},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"exp": 10**400},
        {"exp": True},
    ):
        assert await refused(identities, await identities.forged(**claims)), claims


@promising(TIME)
async def test_clocks_may_differ_by_a_few_seconds(identities: IdentitiesUnderTest) -> None:
    token = (await identities.header()).removeprefix("Bearer ")
    now = jwt.decode(token, options={"verify_signature": False})["iat"]
    for claims in ({"iat": now + 5, "nbf": now + 5}, {"iat": now - 60, "nbf": now - 60, "exp": now - 2}):
        header = await identities.forged(jti=f"of its own {claims}", **claims)
        assert (await identities.of["bob"].authenticate(header)).id == identities.ids["alice"]


@promising(ONCE)
async def test_a_token_is_accepted_once(identities: IdentitiesUnderTest) -> None:
    header = await identities.header()
    await authenticated(identities.of["bob"], header)
    assert await refused(identities, header)
    assert await refused(identities, await identities.forged(jti=None))


@promising()
async def test_a_refusal_says_why_in_the_log_and_nothing_to_the_caller(
    identities: IdentitiesUnderTest, caplog: pytest.LogCaptureFixture
) -> None:
    headers = [f"Bearer {part}" for part in ("PLANTED", "PLANTED.PLANTED.PLANTED", "PLANTED" * 4000)]
    if identities.signer is not None:
        headers += [await identities.header("alice", "carol"), await identities.forged(exp=1)]
    said = set()
    with caplog.at_level(logging.INFO, logger="control_plane"):
        for header in headers:
            with pytest.raises(UnauthenticatedError) as refusal:
                await authenticated(identities.of["bob"], header)
            said.add(refusal.value.message)
    assert said == {"The Authorization header does not prove who is calling."}
    reasons = [str(vars(record).get("reason", "")) for record in caplog.records]
    assert len(reasons) == len(headers)
    assert all(reasons)
    written = " ".join((*reasons, caplog.text))
    assert not [header for header in headers if header.removeprefix("Bearer ")[:20] in written]
    assert "PLANTED" not in written


@pytest.mark.parametrize("subject", [s for s in SUBJECTS if SENDER not in s.promises], ids=str)
async def test_where_nothing_is_proven_everybody_is_believed(identities: IdentitiesUnderTest) -> None:
    """The lab's identity: shown here so that nobody takes it for more."""
    stranger = await identities.stranger.authorization_for(identities.peer("carol"))
    for _ in range(2):
        assert await identities.of["bob"].authenticate(stranger) == Participant(id=identities.ids["alice"])
