"""The orphaned secrets of a control plane, for a program that runs beside it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from connector_spi.clock import Clock
from connector_spi.vault import Vault
from control_plane.adapters.sql_stores import open_stores
from control_plane.services.orphaned_secrets import OrphanedSecrets
from sql_storage.database import Database


@asynccontextmanager
async def open_orphaned_secrets(database_url: str, vault: Vault, clock: Clock) -> AsyncIterator[OrphanedSecrets]:
    """Look in the control plane's own database, which has to be there and is not changed.

    Raises:
        ConfigurationError: there is no such database, or it is in the memory of another process.
    """
    database = Database.open_existing(database_url)
    try:
        yield OrphanedSecrets(vault, open_stores(database, clock))
    finally:
        await database.aclose()
