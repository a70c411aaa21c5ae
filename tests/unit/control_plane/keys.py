"""Real key pairs of participants, and identities that use them."""

from functools import cache
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from connector_spi.clock import Clock, SystemClock
from connector_spi.vault import Vault
from control_plane.adapters.jwt_identity import JwtIdentity
from control_plane.adapters.pinned_keys import PinnedKey
from vault_adapters.memory import InMemoryVault

KEY_ALIAS: Final = "participant-signing-key"


@cache
def key_of(name: str) -> ec.EllipticCurvePrivateKey:
    """This name's key; the same in the whole test run."""
    del name
    return ec.generate_private_key(ec.SECP256R1())


def private_pem(key: ec.EllipticCurvePrivateKey) -> str:
    """As the vault keeps it."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_pem(key: ec.EllipticCurvePrivateKey) -> str:
    """As a counterparty configures it."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def identity(
    participant: str,
    *,
    knows: tuple[str, ...] = (),
    vault: Vault | None = None,
    clock: Clock | None = None,
    token_seconds: float = 60,
) -> JwtIdentity:
    """The identity of a participant that knows the public keys of others."""
    return JwtIdentity(
        participant_id=participant,
        signing_key_alias=KEY_ALIAS,
        keys={peer: PinnedKey(peer, public_pem(key_of(peer))) for peer in knows},
        token_seconds=token_seconds,
        clock_skew_seconds=0,
        vault=vault or InMemoryVault({KEY_ALIAS: private_pem(key_of(participant))}),
        clock=clock or SystemClock(),
    )
