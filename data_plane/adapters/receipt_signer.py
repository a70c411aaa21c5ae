"""ReceiptSigner: signs markers with the participant's key from the vault."""

from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from azure_storage.markers import SignedMarker
from azure_storage.receipt_signature import signed, signing_key
from connector_spi.clock import Clock
from connector_spi.vault import Vault
from connector_spi.vault_access import resolved

Marker = TypeVar("Marker", bound=SignedMarker)


class ReceiptSigner:
    """Reads the key anew for each marker, so that a replaced one is picked up; a transfer has one marker."""

    def __init__(self, *, vault: Vault, key_alias: str, clock: Clock) -> None:
        self._vault = vault
        self._key_alias = key_alias
        self._clock = clock

    async def check(self) -> None:
        """Find out at the start, not after hours of copying, that there is no key.

        Raises:
            SecretNotFoundError, VaultForbiddenError, VaultUnavailableError, ReceiptKeyError: there is none.
        """
        await self._key()

    async def signed(self, marker: Marker, *, participant_id: str) -> Marker:
        """The marker with the signature of this participant, whose key it has to be.

        Raises:
            SecretNotFoundError, VaultForbiddenError, VaultUnavailableError, ReceiptKeyError: as `check`.
        """
        return signed(marker, signer=participant_id, at=self._clock.now(), key=await self._key())

    async def _key(self) -> EllipticCurvePrivateKey:
        return signing_key(await resolved(self._vault, self._key_alias, purpose="sign a receipt"), name=self._key_alias)
