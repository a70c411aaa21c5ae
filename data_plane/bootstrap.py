"""The only place where the data plane's adapters meet its services."""

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import httpx
from fastapi import FastAPI

from azure_storage.account_keys import AccountKeys
from azure_storage.block_client import BlockBlobClient
from azure_storage.containers import ObjectStorage
from azure_storage.endpoints import StorageEndpoints
from azure_storage.session import open_storage_session
from connector_spi.clock import Clock, SystemClock
from connector_spi.data_address import AZURE_STORAGE
from connector_spi.vault import Vault
from data_plane.adapters.azure_preparer import AzureDestinationPreparer
from data_plane.adapters.azure_sink import AzureStorageSinkFactory
from data_plane.adapters.azure_source import AzureStorageSourceFactory
from data_plane.adapters.control_plane_http_client import ControlPlaneHttpClient
from data_plane.adapters.sql_data_flow_store import SqlDataFlowStore
from data_plane.adapters.sql_object_journal import SqlObjectJournal
from data_plane.ports.control_plane_client import ControlPlaneClient
from data_plane.ports.data_flow_store import DataFlowStore
from data_plane.ports.data_sink import DataSinkFactory
from data_plane.ports.data_source import DataSourceFactory
from data_plane.ports.destination_preparer import DestinationPreparer
from data_plane.ports.object_journal import ObjectJournal
from data_plane.services.answer_retention import AnswerRetention
from data_plane.services.byte_budget import ByteBudget
from data_plane.services.copy_engine import CopyEngine, CopyLimits
from data_plane.services.credential_intake import CredentialIntake
from data_plane.services.data_flow_manager import DataFlowManager
from data_plane.services.data_flow_service import DataFlowService
from data_plane.services.destination_service import DestinationService
from data_plane.services.flow_worker import FlowWorker, WorkerLimits
from data_plane.services.keyed_locks import KeyedLocks
from data_plane.services.owed_pieces import OwedPieces, Patience
from data_plane.services.owed_work import OwedWorkLoop
from data_plane.services.progress_reporter import ProgressReporter
from data_plane.services.registry import FactoryRegistry
from data_plane.services.retry import Backoff
from data_plane.services.wake_up import WakeUp
from data_plane.settings import DataPlaneSettings
from data_plane.signaling_api.app import GateRules, create_app
from sql_storage.database import Database
from sql_storage.migrations import migrate

_log = logging.getLogger(__name__)

MIGRATIONS: Final = Path(__file__).parent / "adapters" / "migrations"
VERSION_TABLE: Final = "data_plane_version"


@dataclass(frozen=True, slots=True)
class DataPlane:
    """A data plane that is ready to be served: `app` runs its workers while it is (ASGI lifespan)."""

    app: FastAPI


@dataclass(frozen=True, slots=True, kw_only=True)
class _Adapters:
    store: DataFlowStore
    journal: ObjectJournal
    control_plane: ControlPlaneClient
    sources: FactoryRegistry[DataSourceFactory]
    sinks: FactoryRegistry[DataSinkFactory]
    preparers: FactoryRegistry[DestinationPreparer]
    vault: Vault
    clock: Clock


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
        adapters = await _adapters(settings, database, vault, clock or SystemClock(), stack)
        yield DataPlane(_app(settings, adapters))


async def _adapters(
    settings: DataPlaneSettings, database: Database, vault: Vault, clock: Clock, stack: AsyncExitStack
) -> _Adapters:
    endpoints = StorageEndpoints(settings.storage_endpoint_template)
    session = await stack.enter_async_context(open_storage_session())
    blobs = BlockBlobClient(session, clock=clock)
    storage = ObjectStorage(
        endpoints=endpoints, account_keys=AccountKeys(vault, clock=clock), clock=clock, session=session
    )
    sink = AzureStorageSinkFactory(
        vault=vault,
        blobs=blobs,
        endpoints=endpoints,
        clock=clock,
        signature_grace=timedelta(seconds=settings.signature_grace_seconds),
    )
    source = AzureStorageSourceFactory(storage=storage, blobs=blobs, endpoints=endpoints, clock=clock)
    preparer = AzureDestinationPreparer(storage, signature_seconds=settings.prepared_signature_seconds)
    return _Adapters(
        store=SqlDataFlowStore(database),
        journal=SqlObjectJournal(database),
        control_plane=ControlPlaneHttpClient(
            await stack.enter_async_context(httpx.AsyncClient(trust_env=False)),
            default_base=settings.control_plane_url,
            vault=vault,
            token_alias=settings.callback_token_alias,
        ),
        sources=FactoryRegistry("source", {AZURE_STORAGE: source}),
        sinks=FactoryRegistry("sink", {AZURE_STORAGE: sink}),
        preparers=FactoryRegistry("preparer of destinations", {AZURE_STORAGE: preparer}),
        vault=vault,
        clock=clock,
    )


def _app(settings: DataPlaneSettings, adapters: _Adapters) -> FastAPI:
    backoff = Backoff(first_seconds=settings.retry_first_seconds, cap_seconds=settings.retry_cap_seconds)
    owed_wake_up = WakeUp()
    manager = _manager(settings, adapters, backoff, owed_wake_up)
    owed_work = _owed_work(settings, adapters, backoff, owed_wake_up)
    retention = AnswerRetention(adapters.store, adapters.clock, timedelta(seconds=settings.answer_retention_seconds))
    accepted, creating = _accepted_callback(settings), KeyedLocks()
    intake = CredentialIntake(adapters.vault, adapters.store)
    flows = DataFlowService(
        store=adapters.store,
        intake=intake,
        sources=adapters.sources,
        sinks=adapters.sinks,
        manager=manager,
        owed_wake_up=owed_wake_up,
        clock=adapters.clock,
        accepted_callback=accepted,
        creating=creating,
    )
    destinations = DestinationService(
        store=adapters.store,
        preparers=adapters.preparers,
        vault=adapters.vault,
        intake=intake,
        clock=adapters.clock,
        accepted_callback=accepted,
        creating=creating,
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            loops = [group.create_task(work.run()) for work in (manager, owed_work, retention)]
            try:
                yield
            finally:
                for loop in loops:
                    loop.cancel()

    async def token() -> str:
        return await adapters.vault.resolve(settings.signaling_token_alias)

    return create_app(
        flows=flows,
        destinations=destinations,
        checks={"database": adapters.store.ping},
        gate=GateRules(token=None if settings.insecure_no_auth else token, max_body_bytes=settings.max_body_bytes),
        lifespan=lifespan,
    )


def _owed_work(settings: DataPlaneSettings, adapters: _Adapters, backoff: Backoff, wake_up: WakeUp) -> OwedWorkLoop:
    pieces = OwedPieces(
        control_plane=adapters.control_plane,
        sinks=adapters.sinks,
        preparers=adapters.preparers,
        journal=adapters.journal,
        vault=adapters.vault,
        clock=adapters.clock,
        patience=Patience(
            marker=timedelta(seconds=settings.failed_marker_seconds),
            callback=timedelta(seconds=settings.callback_patience_seconds),
        ),
    )
    return OwedWorkLoop(
        store=adapters.store,
        pieces=pieces,
        clock=adapters.clock,
        backoff=backoff,
        poll_seconds=settings.poll_seconds,
        wake_up=wake_up,
    )


def _manager(
    settings: DataPlaneSettings, adapters: _Adapters, backoff: Backoff, owed_wake_up: WakeUp
) -> DataFlowManager:
    engine = CopyEngine(
        sources=adapters.sources,
        sinks=adapters.sinks,
        store=adapters.store,
        journal=adapters.journal,
        budget=ByteBudget(settings.byte_budget_bytes),
        limits=CopyLimits(max_objects=settings.max_objects_in_parallel, max_blocks=settings.max_blocks_in_parallel),
        lease_seconds=settings.lease_seconds,
    )
    worker = FlowWorker(
        store=adapters.store,
        engine=engine,
        reporter=ProgressReporter(adapters.control_plane, settings.progress_seconds),
        clock=adapters.clock,
        limits=WorkerLimits(
            lease=settings.lease_seconds,
            heartbeat=settings.heartbeat_seconds,
            no_progress=settings.no_progress_seconds,
            flow=settings.max_flow_seconds,
        ),
        backoff=backoff,
    )
    return DataFlowManager(
        adapters.store,
        worker,
        worker_id=settings.worker_name or f"{socket.gethostname()}-{os.getpid()}",
        max_flows=settings.max_flows,
        poll_seconds=settings.poll_seconds,
        on_flow_ended=owed_wake_up.set,
    )


def _accepted_callback(settings: DataPlaneSettings) -> Callable[[str | None], str]:
    """Call-back addresses come from outside; only those that the operator listed are called."""
    accepted = {url.rstrip("/") for url in (*settings.accepted_callback_urls, settings.control_plane_url) if url}

    def base(sent: str | None) -> str:
        if sent and sent.rstrip("/") in accepted:
            return sent.rstrip("/")
        if sent:
            _log.info("the call-back address of a message is not an accepted one; the configured one is used")
        return ""

    return base
