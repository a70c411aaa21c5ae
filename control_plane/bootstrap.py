"""Wires the control plane: the only place where adapters meet services."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import uuid4

import httpx
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from fastapi import FastAPI

from azure_storage.account_keys import AccountKeys
from azure_storage.containers import ObjectStorage
from azure_storage.endpoints import StorageEndpoints
from azure_storage.session import open_storage_session
from connector_spi.clock import Clock
from connector_spi.data_address import AZURE_STORAGE
from connector_spi.errors import ConnectorError
from connector_spi.outbound_addresses import OutboundAddressPolicy
from connector_spi.vault import Vault
from control_plane.adapters.azure_destination_policy import AzureDestinationPolicy
from control_plane.adapters.data_flow_client import DataFlowClient, DataPlaneEndpoint
from control_plane.adapters.dsp_client import DspClient
from control_plane.adapters.jwt_identity import JwtIdentity
from control_plane.adapters.memory_stores import memory_stores
from control_plane.adapters.object_storage_evidence import ObjectStorageEvidence
from control_plane.adapters.object_storage_provisioner import ObjectStorageProvisioner
from control_plane.adapters.sql_stores import migrate_stores, open_stores
from control_plane.domain.contract_negotiation import ContractNegotiation, NegotiationState
from control_plane.domain.transfer_process import OUTCOMES, TransferProcess, TransferProcessState
from control_plane.dsp_messages import PROTOCOL
from control_plane.ports.stores import Stores
from control_plane.protocol_api.app import VERSION_PATH, create_protocol_app
from control_plane.protocol_api.catalog import catalog_router
from control_plane.protocol_api.exchange import Exchange
from control_plane.protocol_api.negotiations import NegotiationEndpoints
from control_plane.protocol_api.transfers import TransferEndpoints
from control_plane.services.catalog_service import CatalogService
from control_plane.services.consumer_acts import ConsumerActs
from control_plane.services.data_flow_service import DataFlowService
from control_plane.services.definition_service import DefinitionService
from control_plane.services.entity_loop import EntityLoop
from control_plane.services.flow_reconciler import FlowReconciler
from control_plane.services.negotiation_manager import ContractNegotiationManager
from control_plane.services.negotiation_protocol_service import NegotiationProtocolService
from control_plane.services.negotiation_service import NegotiationService
from control_plane.services.patience import Backoff, Patience
from control_plane.services.provider_acts import ProviderActs
from control_plane.services.status_checker import StatusChecker
from control_plane.services.transfer_manager import TransferProcessManager
from control_plane.services.transfer_process_service import TransferProcessService
from control_plane.services.transfer_protocol_service import TransferProtocolService
from control_plane.settings import ControlPlaneSettings, DataPlaneEndpointSettings, TransferSettings
from control_plane.signaling_api import DataPlaneAuthenticator, create_signaling_app
from outbound_http.guarded_client import guarded_client
from sql_storage.database import Database

MEMORY_DATABASE: Final = "memory://"
"""Database address that keeps everything in memory: for development, nothing outlives the process."""
_STEP_SHARE_OF_LEASE: Final = 0.8
_OVERLAPPING_SWEEPS: Final = 8
_CLEANUP_CAP_SECONDS: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlane:
    """What the composing program needs: use cases for the management API, and two applications to serve."""

    participant_id: str
    transfers: TransferProcessService
    negotiations: NegotiationService
    catalog: CatalogService
    definitions: DefinitionService
    protocol_app: FastAPI
    signaling_app: FastAPI
    stores: Stores
    vault: Vault

    async def ready(self) -> Mapping[str, bool]:
        """Which components answer."""
        return {"database": await self._database_answers(), "vault": await self._vault_answers()}

    async def _database_answers(self) -> bool:
        try:
            await self.stores.transfer_processes.next_due_at()
        except ConnectorError:
            return False
        return True

    async def _vault_answers(self) -> bool:
        try:
            await self.vault.aliases("readiness-")
        except ConnectorError:
            return False
        return True


@asynccontextmanager
async def build_control_plane(
    settings: ControlPlaneSettings, *, vault: Vault, clock: Clock
) -> AsyncIterator[ControlPlane]:
    """A control plane whose loops run while the context is open.

    Leaving the context stops the loops once the steps under way have ended, and closes what was opened here; the
    vault is the caller's.

    Raises:
        ConfigurationError: a setting cannot work.
        StoreUnavailableError: the database did not answer.
    """
    async with AsyncExitStack() as stack:
        parts = await _open_parts(settings, vault, clock, stack)
        stop = asyncio.Event()
        loops = await stack.enter_async_context(asyncio.TaskGroup())
        stack.callback(stop.set)
        for loop in _loops(settings, parts):
            loops.create_task(loop.run(stop))
        scheduler = _scheduler(settings.transfer, parts)
        stack.callback(scheduler.shutdown, wait=False)
        yield _control_plane(settings, parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """What was opened, and what several services share."""

    stores: Stores
    vault: Vault
    clock: Clock
    endpoints: StorageEndpoints
    storage: ObjectStorage
    outbound: OutboundAddressPolicy
    identity: JwtIdentity
    client: DspClient
    data_flows: DataFlowClient
    evidence: ObjectStorageEvidence
    provisioners: Mapping[str, ObjectStorageProvisioner]


async def _open_parts(settings: ControlPlaneSettings, vault: Vault, clock: Clock, stack: AsyncExitStack) -> _Parts:
    stores = await _open_stores(settings.database_url, clock, stack)
    session = await stack.enter_async_context(open_storage_session())
    endpoints = StorageEndpoints(settings.storage.endpoint_template)
    storage = ObjectStorage(
        endpoints=endpoints,
        account_keys=AccountKeys(vault, clock=clock),
        clock=clock,
        session=session,
        call_seconds=settings.transfer.call_seconds,
    )
    outbound = OutboundAddressPolicy(**settings.outbound.model_dump())
    http = await stack.enter_async_context(guarded_client(outbound, call_seconds=settings.transfer.call_seconds))
    identity = JwtIdentity(
        participant_id=settings.participant_id,
        signing_key_alias=settings.identity.signing_key_alias,
        public_keys={peer.id: peer.public_key for peer in settings.counterparties},
        token_seconds=settings.identity.token_seconds,
        clock_skew_seconds=settings.identity.clock_skew_seconds,
        vault=vault,
        clock=clock,
    )
    data_planes = [await _data_plane(plane, settings.transfer, stack) for plane in settings.data_planes]
    return _Parts(
        stores=stores,
        vault=vault,
        clock=clock,
        endpoints=endpoints,
        storage=storage,
        outbound=outbound,
        identity=identity,
        client=DspClient(
            http=http,
            identity=identity,
            callback_address=_base_url(settings),
            call_seconds=settings.transfer.call_seconds,
        ),
        data_flows=DataFlowClient(
            data_planes=tuple(data_planes),
            vault=vault,
            signaling_url=settings.signaling_url,
            dataspace_context=PROTOCOL,
        ),
        evidence=ObjectStorageEvidence(storage),
        provisioners={AZURE_STORAGE: ObjectStorageProvisioner(storage, sas_seconds=settings.storage.sas_seconds)},
    )


async def _open_stores(database_url: str, clock: Clock, stack: AsyncExitStack) -> Stores:
    if database_url == MEMORY_DATABASE:
        return memory_stores(clock)
    database = Database.open(database_url)
    stack.push_async_callback(database.aclose)
    await migrate_stores(database)
    return open_stores(database, clock)


async def _data_plane(
    plane: DataPlaneEndpointSettings, transfer: TransferSettings, stack: AsyncExitStack
) -> DataPlaneEndpoint:
    # An operator configures these addresses, so they are not guarded as those of outsiders are.
    transport = httpx.AsyncHTTPTransport(uds=plane.socket) if plane.socket else None
    client = httpx.AsyncClient(transport=transport, timeout=transfer.call_seconds, trust_env=False)
    return DataPlaneEndpoint(
        id=plane.id,
        url=plane.url,
        transfer_types=plane.transfer_types,
        token_alias=plane.token_alias,
        shares_vault=plane.shares_vault,
        http=await stack.enter_async_context(client),
    )


def _base_url(settings: ControlPlaneSettings) -> str:
    return settings.protocol_url.rstrip("/") + VERSION_PATH


def _control_plane(settings: ControlPlaneSettings, parts: _Parts) -> ControlPlane:
    participant_id, negotiations = settings.participant_id, parts.stores.contract_negotiations
    catalog = CatalogService(parts.stores, parts.client)
    transfer_types = parts.data_flows.transfer_types()
    exchange = Exchange(parts.identity)
    negotiation_protocol = NegotiationProtocolService(
        participant_id=participant_id,
        negotiations=negotiations,
        catalog=catalog,
        outbound=parts.outbound,
        clock=parts.clock,
    )
    transfer_protocol = TransferProtocolService(
        participant_id=participant_id,
        stores=parts.stores,
        vault=parts.vault,
        destinations=AzureDestinationPolicy(parts.endpoints),
        outbound=parts.outbound,
        transfer_types=transfer_types,
        start_within_seconds=settings.transfer.handshake_seconds,
        clock=parts.clock,
    )
    base_url = _base_url(settings)
    return ControlPlane(
        participant_id=participant_id,
        transfers=TransferProcessService(
            participant_id=participant_id, stores=parts.stores, provisioners=parts.provisioners, clock=parts.clock
        ),
        negotiations=NegotiationService(participant_id=participant_id, negotiations=negotiations, clock=parts.clock),
        catalog=catalog,
        definitions=DefinitionService(parts.stores),
        protocol_app=create_protocol_app(
            catalog_router(
                exchange, catalog, participant_id=participant_id, base_url=base_url, transfer_types=transfer_types
            ),
            NegotiationEndpoints(exchange, negotiation_protocol).router(),
            TransferEndpoints(exchange, transfer_protocol).router(),
        ),
        signaling_app=create_signaling_app(
            DataFlowService(processes=parts.stores.transfer_processes, clock=parts.clock),
            DataPlaneAuthenticator(parts.vault, {plane.id: plane.token_alias for plane in settings.data_planes}),
        ),
        stores=parts.stores,
        vault=parts.vault,
    )


def _loops(
    settings: ControlPlaneSettings, parts: _Parts
) -> tuple[EntityLoop[TransferProcess], EntityLoop[ContractNegotiation]]:
    consumer = ConsumerActs(
        processes=parts.stores.transfer_processes,
        provisioners=parts.provisioners,
        client=parts.client,
        evidence=parts.evidence,
        trusting=frozenset(p.id for p in settings.counterparties if p.completion_evidence == "message"),
        vault=parts.vault,
        clock=parts.clock,
    )
    provider = ProviderActs(
        assets=parts.stores.assets,
        data_flows=parts.data_flows,
        client=parts.client,
        vault=parts.vault,
        clock=parts.clock,
    )
    patience = _patience(settings.transfer)
    transfers = TransferProcessManager(
        acts={**consumer.acts(), **provider.acts()},
        resource_acts={**consumer.resource_acts(), **provider.resource_acts()},
        patience=patience,
        clock=parts.clock,
    )
    negotiations = ContractNegotiationManager(client=parts.client, patience=patience, clock=parts.clock)
    timing = settings.transfer
    owner = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"
    return (
        EntityLoop(
            name="transfer processes",
            store=parts.stores.transfer_processes,
            take_step=transfers.take_step,
            abandon=transfers.abandoned,
            clock=parts.clock,
            owner=owner,
            lease_seconds=timing.lease_seconds,
            parallel_steps=timing.parallel_steps,
        ),
        EntityLoop(
            name="contract negotiations",
            store=parts.stores.contract_negotiations,
            take_step=negotiations.take_step,
            abandon=negotiations.abandoned,
            clock=parts.clock,
            owner=owner,
            lease_seconds=timing.lease_seconds,
            parallel_steps=timing.parallel_steps,
        ),
    )


def _scheduler(timing: TransferSettings, parts: _Parts) -> AsyncIOScheduler:
    """APScheduler's part: the sweep for markers (a few may overlap when a look takes long) and that over data flows."""
    checker = StatusChecker(
        processes=parts.stores.transfer_processes,
        evidence=parts.evidence,
        client=parts.client,
        clock=parts.clock,
        interval_seconds=timing.status_check_seconds,
    )
    reconciler = FlowReconciler(
        processes=parts.stores.transfer_processes,
        data_flows=parts.data_flows,
        clock=parts.clock,
        silence_seconds=timing.flow_check_seconds,
    )
    scheduler = AsyncIOScheduler(timezone="UTC")
    scheduler.add_job(
        reconciler.sweep, "interval", seconds=timing.flow_check_seconds, coalesce=True, misfire_grace_time=None
    )
    scheduler.add_job(
        checker.sweep,
        "interval",
        seconds=timing.status_check_seconds,
        max_instances=_OVERLAPPING_SWEEPS,
        coalesce=True,
        misfire_grace_time=None,
        next_run_time=parts.clock.now() + timedelta(seconds=timing.status_check_seconds),
    )
    scheduler.start()
    return scheduler


def _patience(timing: TransferSettings) -> Patience:
    state = TransferProcessState
    special = {
        state.INITIAL: timing.provisioning_seconds,
        state.PROVISIONING: timing.provisioning_seconds,
        state.PROVISIONED: timing.provisioning_seconds,
        state.REQUESTED: timing.requested_seconds,
        state.STARTED: timing.started_seconds,
        state.SUSPENDED: timing.suspended_seconds,
        state.COMPLETING_REQUESTED: timing.evidence_seconds,
        state.TERMINATING: timing.termination_seconds,
        state.TERMINATING_REQUESTED: timing.termination_seconds,
    }
    return Patience(
        backoff=Backoff(base_seconds=timing.retry_base_seconds, cap_seconds=timing.retry_cap_seconds),
        cleanup_backoff=Backoff(base_seconds=timing.retry_cap_seconds, cap_seconds=_CLEANUP_CAP_SECONDS),
        transfer_seconds={s: special.get(s, timing.handshake_seconds) for s in state if s not in OUTCOMES},
        negotiation_seconds=dict.fromkeys(NegotiationState, timing.handshake_seconds),
        step_seconds=timing.lease_seconds * _STEP_SHARE_OF_LEASE,
    )
