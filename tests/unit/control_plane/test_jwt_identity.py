"""Tokens of participants, with real keys; what is refused at the endpoints is in test_protocol_hostile."""

from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from connector_spi.clock import SystemClock
from connector_spi.errors import (
    ConfigurationError,
    SecretNotFoundError,
    UnauthenticatedError,
    VaultUnavailableError,
)
from control_plane.adapters.jwt_identity import SigningKeyError
from control_plane.adapters.pinned_keys import PinnedKey
from control_plane.domain.participant import Counterparty, Participant
from tests.fakes import ManualClock
from tests.unit.control_plane.keys import KEY_ALIAS, identity, key_of, private_pem, public_pem
from vault_adapters.memory import InMemoryVault

ALICE, BOB, CAROL = "did:web:alice", "did:web:bob", "did:web:carol"


def claims_of(header: str, name: str) -> dict[str, Any]:
    """What the token says, if this name's key signed it."""
    claims: dict[str, Any] = jwt.decode(
        header.removeprefix("Bearer "), key_of(name).public_key(), algorithms=["ES256"], options={"verify_aud": False}
    )
    return claims


def peer(participant_id: str) -> Counterparty:
    return Counterparty(id=participant_id, address=f"https://{participant_id}.example/2025-1")


async def test_a_token_proves_its_sender_to_its_receiver() -> None:
    header = await identity(ALICE).authorization_for(peer(BOB))
    assert await identity(BOB, knows=(CAROL, ALICE)).authenticate(header) == Participant(id=ALICE)


async def test_a_token_is_short_lived_and_says_for_whom_it_is() -> None:
    claims = claims_of(await identity(ALICE, token_seconds=30).authorization_for(peer(BOB)), ALICE)
    assert (claims["iss"], claims["sub"], claims["aud"]) == (ALICE, ALICE, BOB)
    assert claims["exp"] - claims["iat"] == 30


async def test_two_tokens_never_are_the_same() -> None:
    alice, bob = identity(ALICE), identity(BOB, knows=(ALICE,))
    assert [await bob.authenticate(await alice.authorization_for(peer(BOB))) for _ in range(3)] == [
        Participant(id=ALICE)
    ] * 3


async def test_a_token_for_somebody_else_is_refused() -> None:
    header = await identity(ALICE).authorization_for(peer(CAROL))
    with pytest.raises(UnauthenticatedError):
        await identity(BOB, knows=(ALICE,)).authenticate(header)


async def test_a_replayed_token_is_refused_however_many_others_came_between() -> None:
    alice, bob = identity(ALICE), identity(BOB, knows=(ALICE,))
    header = await alice.authorization_for(peer(BOB))
    await bob.authenticate(header)
    for _ in range(300):
        await bob.authenticate(await alice.authorization_for(peer(BOB)))
    with pytest.raises(UnauthenticatedError):
        await bob.authenticate(header)


async def test_ids_of_tokens_are_forgotten_once_the_tokens_have_expired() -> None:
    clock = ManualClock(SystemClock().now())
    alice, bob = identity(ALICE, clock=clock), identity(BOB, knows=(ALICE,), clock=clock)
    for _ in range(256):
        await bob.authenticate(await alice.authorization_for(peer(BOB)))
    clock.advance(3600)
    await bob.authenticate(await alice.authorization_for(peer(BOB)))
    assert len(bob._verifiers[ALICE]._seen) == 1


async def test_a_rotated_key_is_picked_up_within_half_a_minute() -> None:
    clock = ManualClock(SystemClock().now())
    vault = InMemoryVault({KEY_ALIAS: private_pem(key_of(ALICE))})
    alice = identity(ALICE, vault=vault, clock=clock)
    await alice.authorization_for(peer(BOB))
    await vault.store(KEY_ALIAS, private_pem(key_of("alice's next")))
    claims_of(await alice.authorization_for(peer(BOB)), ALICE)
    clock.advance(31)
    header = (await alice.authorization_for(peer(BOB))).removeprefix("Bearer ")
    assert jwt.PyJWS().decode(header, key_of("alice's next").public_key(), algorithms=["ES256"])


@pytest.mark.parametrize(
    "secret", ["PLANTED no key", public_pem(key_of(ALICE)), private_pem(ec.generate_private_key(ec.SECP384R1()))]
)
async def test_a_secret_that_is_no_signing_key_is_named_by_its_alias_alone(secret: str) -> None:
    alice = identity(ALICE, vault=InMemoryVault({KEY_ALIAS: secret}))
    with pytest.raises(SigningKeyError, match=KEY_ALIAS) as refused:
        await alice.authorization_for(peer(BOB))
    assert "PLANTED" not in str(refused.value)


async def test_a_missing_key_is_named_by_its_alias() -> None:
    with pytest.raises(SecretNotFoundError, match=KEY_ALIAS):
        await identity(ALICE, vault=InMemoryVault()).authorization_for(peer(BOB))


class DownVault(InMemoryVault):
    """Does not answer."""

    async def resolve(self, alias: str) -> str:
        raise VaultUnavailableError(f"The vault does not answer ({alias}).")


async def test_a_vault_that_is_down_is_a_passing_trouble() -> None:
    with pytest.raises(VaultUnavailableError):
        await identity(ALICE, vault=DownVault()).authorization_for(peer(BOB))


def other_keys() -> list[str]:
    keys: list[rsa.RSAPublicKey | ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey] = [
        rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key(),
        ed25519.Ed25519PrivateKey.generate().public_key(),
        ec.generate_private_key(ec.SECP384R1()).public_key(),
    ]
    return [key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode() for key in keys]


@pytest.mark.parametrize("pem", ["rubbish", private_pem(key_of(ALICE)), *other_keys()])
def test_a_counterpartys_key_of_another_kind_is_a_mistake_in_the_configuration(pem: str) -> None:
    with pytest.raises(ConfigurationError, match="did:web:alice"):
        PinnedKey(ALICE, pem)
