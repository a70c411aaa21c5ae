"""Writing over a deleted secret, and deleting for good where the vault allows it.

Key Vault keeps a deleted secret for 7 to 90 days, and its name with it. Both ways, to delete and to recover, take
the vault a while. Callers set the limit of time: see `LimitedCalls`.
"""

import asyncio
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from azure.core.exceptions import HttpResponseError
from azure.keyvault.secrets import DeletedSecret
from azure.keyvault.secrets.aio import SecretClient

from vault_adapters.azure_key_vault.errors import BUSY, DELETED, codes_of, is_missing

_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 2.0

_LOG: Final = logging.getLogger(__name__)


async def write(client: SecretClient, name: str, value: str, tags: Mapping[str, str]) -> None:
    """Write a new version; a deleted secret of this name is recovered first.

    Raises:
        HttpResponseError, AzureError: as the SDK says, except what waiting mends.
    """
    pause = _FIRST_PAUSE_SECONDS
    while True:
        try:
            await client.set_secret(name, value, tags=dict(tags))
        except HttpResponseError as error:
            if DELETED in codes_of(error):
                await _recover(client, name)
                continue
            if not BUSY.intersection(codes_of(error)):
                raise
        else:
            return
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


async def remove(client: SecretClient, name: str, *, alias: str, alias_tag: str) -> None:
    """Delete the secret and, where the vault and the identity's rights allow it, its history at once.

    A secret that is deleted already is purged too, if its tag says that it is ours: an earlier call may have ended
    between the two.

    Raises:
        HttpResponseError, AzureError: as the SDK says, except that nothing was there or that purging is refused.
    """
    try:
        deleted: DeletedSecret | None = await client.delete_secret(name)
    except HttpResponseError as error:
        if not is_missing(error) and not {DELETED, *BUSY}.intersection(codes_of(error)):
            raise
        deleted = await _deleted_before(client, name)
        if deleted is None or (deleted.properties.tags or {}).get(alias_tag) != alias:
            return
    if deleted is not None and _may_be_purged(deleted):
        await _purge(client, name)


async def _recover(client: SecretClient, name: str) -> None:
    try:
        await client.recover_deleted_secret(name)
    except HttpResponseError as error:
        # Somebody else recovered or purged it in the meantime.
        if not is_missing(error) and not BUSY.intersection(codes_of(error)):
            raise


async def _deleted_before(client: SecretClient, name: str) -> DeletedSecret | None:
    try:
        return await client.get_deleted_secret(name)
    except HttpResponseError as error:
        if is_missing(error) or error.status_code == HTTPStatus.FORBIDDEN:
            return None
        raise


def _may_be_purged(deleted: DeletedSecret) -> bool:
    """No recovery id: the vault has no soft delete, and nothing is left. No `Purgeable`: purge protection is on."""
    level = deleted.properties.recovery_level
    return deleted.recovery_id is not None and (level is None or "Purgeable" in level)


async def _purge(client: SecretClient, name: str) -> None:
    try:
        await client.purge_deleted_secret(name)
    except HttpResponseError as error:
        if error.status_code == HTTPStatus.FORBIDDEN:
            _LOG.debug("Key Vault does not let this identity purge; the deleted secret stays until its retention ends.")
        elif not is_missing(error):
            raise
