"""The signer of what a transfer leaves at the destination, as the settings want it."""

import logging

from connector_spi.clock import Clock
from connector_spi.vault import Vault
from data_plane.adapters.receipt_signer import ReceiptSigner
from data_plane.settings import DataPlaneSettings

_log = logging.getLogger(__name__)


async def open_signer(settings: DataPlaneSettings, vault: Vault, clock: Clock) -> ReceiptSigner | None:
    """The signer, its key looked at once; None where the settings name no key.

    Raises:
        SecretNotFoundError, VaultForbiddenError, VaultUnavailableError, ReceiptKeyError: the key cannot be used.
    """
    if not settings.receipt_signing_key_alias:
        _log.warning("receipts are not signed: receipt_signing_key_alias is empty")
        return None
    signer = ReceiptSigner(vault=vault, key_alias=settings.receipt_signing_key_alias, clock=clock)
    await signer.check()
    return signer
