"""The orphaned secrets of a data plane, for a program that runs beside it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from connector_spi.clock import Clock
from connector_spi.vault import Vault
from data_plane.adapters.sql_control_plane_registry import SqlControlPlaneRegistry
from data_plane.adapters.sql_data_flow_store import SqlDataFlowStore
from data_plane.adapters.sql_secret_ledger import SqlSecretLedger
from data_plane.services.orphaned_secrets import OrphanedSecrets
from sql_storage.database import Database


@asynccontextmanager
async def open_orphaned_secrets(database_url: str, vault: Vault, clock: Clock) -> AsyncIterator[OrphanedSecrets]:
    """Look in the data plane's own database, which has to be there and is not changed.

    Raises:
        ConfigurationError: there is no such database.
    """
    database = Database.open_existing(database_url)
    try:
        yield OrphanedSecrets(
            vault=vault,
            ledger=SqlSecretLedger(database, clock),
            store=SqlDataFlowStore(database),
            known=SqlControlPlaneRegistry(database),
            clock=clock,
        )
    finally:
        await database.aclose()
