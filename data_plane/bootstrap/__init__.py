"""The only place where the data plane's adapters meet its services."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from fastapi import FastAPI

from azure_storage.account_access import Credentials
from azure_storage.opening import open_storage
from connector_spi.clock import Clock, SystemClock
from connector_spi.vault import Vault
from connector_spi.vault_access import resolved
from data_plane.adapters.control_plane_http_client import ControlPlaneHttpClient
from data_plane.adapters.sql_control_plane_registry import SqlControlPlaneRegistry
from data_plane.adapters.sql_data_flow_store import SqlDataFlowStore
from data_plane.adapters.sql_object_journal import SqlObjectJournal
from data_plane.adapters.sql_secret_ledger import SqlSecretLedger
from data_plane.bootstrap.control_planes import callback_targets, outbound_policy, registrars
from data_plane.bootstrap.extensions import NO_EXTENSIONS, Extensions
from data_plane.bootstrap.parts import Parts
from data_plane.bootstrap.profiles import (
    datasets_of,
    granted_sources,
    granters_of,
    inboxes_of,
    preparers_of,
    profiles_of,
)
from data_plane.bootstrap.signaling import signaling_apps
from data_plane.bootstrap.technologies import NO_FACTORIES, Factories, open_technologies
from data_plane.bootstrap.workers import workers_of
from data_plane.ports.destination_preparer import DestinationPreparer
from data_plane.services.control_plane_renewal import ControlPlaneRenewal
from data_plane.services.own_destination_renewal import OwnDestinationRenewal
from data_plane.services.renewed_secret import RenewedSecrets
from data_plane.settings import DataPlaneSettings
from outbound_http.guarded_client import guarded_client
from sql_storage.database import Database
from sql_storage.migrations import migrate

MIGRATIONS: Final = Path(__file__).parent.parent / "adapters" / "migrations"
VERSION_TABLE: Final = "data_plane_version"
_CALL_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class DataPlane:
    """A data plane that is ready to be served: `app` runs its workers while it is (ASGI lifespan)."""

    app: FastAPI
    public_app: FastAPI
    """Only what consumers call, /public; of `app` it is a part. Empty without `public_url`."""


@asynccontextmanager
async def build_data_plane(
    settings: DataPlaneSettings,
    *,
    vault: Vault,
    clock: Clock | None = None,
    further: Factories = NO_FACTORIES,
    extensions: Extensions = NO_EXTENSIONS,
    entra: Credentials | None = None,
) -> AsyncIterator[DataPlane]:
    """Open the database (and bring its tables up to date) and the connections; close them at the end.

    The vault and the identities stay the caller's. `further`: sources and sinks beside the built-in ones and those of
    plug-ins. `extensions`: profiles and who serves them, likewise. `entra`: the identities that storage accounts name.

    Raises:
        ConfigurationError: a setting is wrong.
        SecretNotFoundError: the vault holds no signaling token, or no key to sign receipts with.
        ReceiptKeyError: that key cannot sign.
        StoreUnavailableError: the database did not answer.
    """
    async with AsyncExitStack() as stack:
        database = Database.open(settings.database_url)
        stack.push_async_callback(database.aclose)
        await migrate(database, MIGRATIONS, version_table=VERSION_TABLE)
        if settings.signaling_token_alias and not settings.insecure_no_auth:
            await resolved(vault, settings.signaling_token_alias, purpose="start")
        parts = await _open_parts(
            settings,
            database,
            vault,
            clock or SystemClock(),
            stack,
            further=further,
            extensions=extensions,
            entra=entra,
        )
        yield DataPlane(*_apps(settings, parts))


async def _open_parts(
    settings: DataPlaneSettings,
    database: Database,
    vault: Vault,
    clock: Clock,
    stack: AsyncExitStack,
    *,
    further: Factories,
    extensions: Extensions,
    entra: Credentials | None,
) -> Parts:
    store = SqlDataFlowStore(database)
    registry = SqlControlPlaneRegistry(database)
    plain = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))
    guarded = await stack.enter_async_context(guarded_client(outbound_policy(settings), call_seconds=_CALL_SECONDS))
    targets = callback_targets(settings, vault, registry, plain=plain, guarded=guarded)
    control_plane = ControlPlaneHttpClient(targets)
    kept = RenewedSecrets(vault, store)

    def preparer_of(address_type: str) -> DestinationPreparer:
        # The preparers are opened together with the sinks, which want the renewal first.
        return preparers.of(address_type)

    renewal = OwnDestinationRenewal(preparer_of, kept, ControlPlaneRenewal(control_plane, kept))
    storage = await stack.enter_async_context(open_storage(settings.storage, vault, clock, credentials=entra))
    granted = granted_sources(storage, vault)
    further = Factories(sources={**granted.sources, **further.sources}, sinks=further.sinks)
    technologies = await open_technologies(
        settings, vault, clock, stack, storage=storage, renewal=renewal, further=further
    )
    preparers = preparers_of(technologies, extensions)
    return Parts(
        store=store,
        journal=SqlObjectJournal(database),
        control_plane=control_plane,
        registry=registry,
        ledger=SqlSecretLedger(database, clock),
        technologies=technologies,
        profiles=profiles_of(settings, extensions),
        preparers=preparers,
        granters=granters_of(settings, storage, clock, extensions),
        inboxes=inboxes_of(settings, clock),
        datasets=datasets_of(settings, extensions),
        guarded=guarded,
        plain=plain,
        vault=vault,
        clock=clock,
    )


def _apps(settings: DataPlaneSettings, parts: Parts) -> tuple[FastAPI, FastAPI]:
    workers = workers_of(settings, parts)
    registrations = registrars(settings, parts.vault, profiles=parts.profiles.names, client=parts.plain)
    running = (*workers.loops, *registrations)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            loops = [group.create_task(loop.run()) for loop in running]
            try:
                yield
            finally:
                for loop in loops:
                    loop.cancel()

    return signaling_apps(settings, parts, workers, lifespan)
