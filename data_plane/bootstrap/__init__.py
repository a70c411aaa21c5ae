"""The only place where the data plane's adapters meet its services."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from fastapi import FastAPI

from connector_spi.clock import Clock, SystemClock
from connector_spi.vault import Vault
from data_plane.adapters.control_plane_http_client import ControlPlaneHttpClient
from data_plane.adapters.sql_data_flow_store import SqlDataFlowStore
from data_plane.adapters.sql_object_journal import SqlObjectJournal
from data_plane.bootstrap.parts import Parts
from data_plane.bootstrap.signaling import signaling_app
from data_plane.bootstrap.technologies import open_technologies
from data_plane.bootstrap.workers import workers_of
from data_plane.services.control_plane_renewal import ControlPlaneRenewal
from data_plane.settings import DataPlaneSettings
from sql_storage.database import Database
from sql_storage.migrations import migrate

MIGRATIONS: Final = Path(__file__).parent.parent / "adapters" / "migrations"
VERSION_TABLE: Final = "data_plane_version"


@dataclass(frozen=True, slots=True)
class DataPlane:
    """A data plane that is ready to be served: `app` runs its workers while it is (ASGI lifespan)."""

    app: FastAPI


@asynccontextmanager
async def build_data_plane(
    settings: DataPlaneSettings, *, vault: Vault, clock: Clock | None = None
) -> AsyncIterator[DataPlane]:
    """Open the database (and bring its tables up to date) and the connections; close them at the end.

    The vault stays the caller's.

    Raises:
        ConfigurationError: a setting is wrong.
        SecretNotFoundError: the vault holds no signaling token.
        StoreUnavailableError: the database did not answer.
    """
    async with AsyncExitStack() as stack:
        database = Database.open(settings.database_url)
        stack.push_async_callback(database.aclose)
        await migrate(database, MIGRATIONS, version_table=VERSION_TABLE)
        if not settings.insecure_no_auth:
            await vault.resolve(settings.signaling_token_alias)
        parts = await _open_parts(settings, database, vault, clock or SystemClock(), stack)
        yield DataPlane(_app(settings, parts))


async def _open_parts(
    settings: DataPlaneSettings, database: Database, vault: Vault, clock: Clock, stack: AsyncExitStack
) -> Parts:
    store = SqlDataFlowStore(database)
    control_plane = ControlPlaneHttpClient(
        await stack.enter_async_context(httpx.AsyncClient(trust_env=False)),
        default_base=settings.control_plane_url,
        vault=vault,
        token_alias=settings.callback_token_alias,
    )
    renewal = ControlPlaneRenewal(control_plane, vault, store)
    return Parts(
        store=store,
        journal=SqlObjectJournal(database),
        control_plane=control_plane,
        technologies=await open_technologies(settings, vault, clock, stack, renewal=renewal),
        vault=vault,
        clock=clock,
    )


def _app(settings: DataPlaneSettings, parts: Parts) -> FastAPI:
    workers = workers_of(settings, parts)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            loops = [group.create_task(loop.run()) for loop in workers.loops]
            try:
                yield
            finally:
                for loop in loops:
                    loop.cancel()

    return signaling_app(settings, parts, workers, lifespan)
