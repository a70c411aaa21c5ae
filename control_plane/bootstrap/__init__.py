"""Wires the control plane: the only place where adapters meet services."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import uuid4

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from fastapi import FastAPI

from azure_storage.account_access import Credentials
from connector_spi.clock import Clock
from connector_spi.errors import ConnectorError
from connector_spi.orphan_sweep import OrphanSweep, looks_every
from connector_spi.vault import Vault
from control_plane.bootstrap.credentials import credential_issuer, credential_renewer
from control_plane.bootstrap.data_planes import registrars
from control_plane.bootstrap.destinations import destination_policies
from control_plane.bootstrap.guards import PendingGuards, guards_of
from control_plane.bootstrap.negotiations import negotiation_acts
from control_plane.bootstrap.parts import Parts, base_url, open_parts
from control_plane.bootstrap.patience import patience_of
from control_plane.bootstrap.versions import version_entry
from control_plane.domain.contract_negotiation import ContractNegotiation
from control_plane.domain.transfer_process import TransferProcess
from control_plane.ports.counterparty_identity import CounterpartyIdentity
from control_plane.ports.policy_function import PolicyFunction
from control_plane.ports.stores import Stores
from control_plane.protocol_api.app import create_protocol_app
from control_plane.protocol_api.catalog import CatalogEndpoints
from control_plane.protocol_api.credentials import CredentialEndpoint
from control_plane.protocol_api.exchange import NEGOTIATION_ERROR, TRANSFER_ERROR, Exchange
from control_plane.protocol_api.negotiations import NegotiationEndpoints
from control_plane.protocol_api.transfers import TransferEndpoints
from control_plane.protocol_api.versions import VersionEntry
from control_plane.services.catalog_service import CatalogService
from control_plane.services.consumer_acts import ConsumerActs
from control_plane.services.data_flow_service import DataFlowService
from control_plane.services.data_plane_registry import DataPlaneRegistry
from control_plane.services.definition_service import DefinitionService
from control_plane.services.destination_doors import DestinationDoors
from control_plane.services.endpoint_data_references import EndpointDataReferenceService
from control_plane.services.entity_loop import EntityLoop
from control_plane.services.flow_reconciler import FlowReconciler
from control_plane.services.negotiation_manager import ContractNegotiationManager
from control_plane.services.negotiation_protocol_service import NegotiationProtocolService
from control_plane.services.negotiation_service import NegotiationService
from control_plane.services.orphaned_secrets import OrphanedSecrets
from control_plane.services.policy_monitor import PolicyMonitor
from control_plane.services.provider_acts import ProviderActs
from control_plane.services.staged_arrivals import StagedArrivals
from control_plane.services.status_checker import StatusChecker
from control_plane.services.transfer_admission import TransferAdmission
from control_plane.services.transfer_manager import TransferProcessManager
from control_plane.services.transfer_process_service import TransferProcessService
from control_plane.services.transfer_protocol_service import TransferProtocolService
from control_plane.settings import ControlPlaneSettings, TransferSettings
from control_plane.signaling_api.app import create_signaling_app
from control_plane.signaling_api.callbacks import callbacks_router
from control_plane.signaling_api.credentials import credentials_router
from control_plane.signaling_api.exchange import SignalingExchange
from control_plane.signaling_api.registrations import registrations_router

_OVERLAPPING_SWEEPS: Final = 8
_SLICE_SHARE_OF_LEASE: Final = 0.2
"""What a slice begins it also ends, and both together must be done before the lease is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlane:
    """What the composing program needs: use cases for the management API, and two applications to serve."""

    participant_id: str
    transfers: TransferProcessService
    endpoint_data_references: EndpointDataReferenceService
    negotiations: NegotiationService
    catalog: CatalogService
    definitions: DefinitionService
    protocol_app: FastAPI
    versions: VersionEntry
    """For a server that has its version document at its root, too."""
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
    settings: ControlPlaneSettings,
    *,
    vault: Vault,
    clock: Clock,
    identity: CounterpartyIdentity | None = None,
    guards: PendingGuards | None = None,
    policy_functions: Iterable[PolicyFunction] = (),
    entra: Credentials | None = None,
) -> AsyncIterator[ControlPlane]:
    """A control plane whose loops run while the context is open.

    `identity`: how participants prove who they are; None: as the settings say.
    `guards`: where somebody decides before this side goes on; None: as the settings say.
    `policy_functions`: left operands of policies beside the built-in ones and those of installed plug-ins.
    `entra`: the identities that storage accounts may name.

    Leaving the context stops the loops once the steps under way have ended, and closes what was opened here; the
    vault and the identities are the caller's.

    Raises:
        ConfigurationError: a setting cannot work.
        StoreUnavailableError: the database did not answer.
    """
    async with AsyncExitStack() as stack:
        parts = await open_parts(
            settings, vault, clock, stack, identity=identity, policy_functions=policy_functions, entra=entra
        )
        stop = asyncio.Event()
        loops = await stack.enter_async_context(asyncio.TaskGroup())
        stack.callback(stop.set)
        monitor = policy_monitor_of(settings.transfer, parts)
        loops.create_task(monitor.run(stop))
        for loop in entity_loops(settings, parts, guards or guards_of(settings.negotiation), monitor):
            loops.create_task(loop.run(stop))
        for registrar in registrars(settings, parts.directory, vault):
            loops.create_task(registrar.run(stop))
        scheduler = _scheduler(settings.transfer, parts)
        stack.callback(scheduler.shutdown, wait=False)
        yield control_plane_of(settings, parts)


def control_plane_of(settings: ControlPlaneSettings, parts: Parts) -> ControlPlane:
    """Interfaces and services over the parts; nothing runs yet."""
    participant_id, negotiations = settings.participant_id, parts.stores.contract_negotiations
    catalog = CatalogService(parts.stores, parts.client, parts.policies, parts.clock)
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
        addresses=parts.addresses,
        destinations=destination_policies(parts),
        outbound=parts.outbound,
        data_flows=parts.data_flows,
        policies=parts.policies,
        start_within_seconds=settings.transfer.handshake_seconds,
        clock=parts.clock,
        strict_pids=settings.strict_pids,
    )
    exchange = Exchange(
        parts.identity, {NEGOTIATION_ERROR: negotiation_protocol.get, TRANSFER_ERROR: transfer_protocol.get}
    )
    issuer = credential_issuer(parts, interval_seconds=settings.transfer.renewal_interval_seconds)
    versions = version_entry(settings.protocol_metadata)
    return ControlPlane(
        participant_id=participant_id,
        transfers=TransferProcessService(
            participant_id=participant_id,
            stores=parts.stores,
            provisioners=parts.provisioners,
            data_flows=parts.data_flows,
            clock=parts.clock,
        ),
        endpoint_data_references=EndpointDataReferenceService(parts.stores.transfer_processes, parts.addresses),
        negotiations=NegotiationService(
            participant_id=participant_id, stores=parts.stores, policies=parts.policies, clock=parts.clock
        ),
        catalog=catalog,
        definitions=DefinitionService(parts.stores, parts.policies),
        protocol_app=create_protocol_app(
            _catalog_endpoints(settings, parts, exchange, catalog).router(),
            NegotiationEndpoints(exchange, negotiation_protocol).router(),
            CredentialEndpoint(exchange, issuer).router(),
            TransferEndpoints(exchange, transfer_protocol).router(),
            versions=versions,
        ),
        versions=versions,
        signaling_app=_signaling_app(participant_id, parts),
        stores=parts.stores,
        vault=parts.vault,
    )


def _catalog_endpoints(
    settings: ControlPlaneSettings, parts: Parts, exchange: Exchange, catalog: CatalogService
) -> CatalogEndpoints:
    return CatalogEndpoints(
        exchange,
        catalog,
        participant_id=settings.participant_id,
        base_url=base_url(settings),
        transfer_types=parts.data_flows.transfer_types,
        page_size=settings.catalog.page_size,
    )


def _signaling_app(participant_id: str, parts: Parts) -> FastAPI:
    exchange = SignalingExchange(parts.data_plane_identity)
    flows = DataFlowService(stores=parts.stores, addresses=parts.addresses, clock=parts.clock)
    registry = DataPlaneRegistry(
        participant_id=participant_id,
        registrations=parts.stores.data_plane_registrations,
        vault=parts.vault,
        outbound=parts.outbound,
        clock=parts.clock,
    )
    return create_signaling_app(
        credentials_router(exchange, credential_renewer(parts)),
        callbacks_router(exchange, flows),
        registrations_router(exchange, registry),
    )


def _transfer_manager(
    settings: ControlPlaneSettings, parts: Parts, guards: PendingGuards, monitor: PolicyMonitor
) -> TransferProcessManager:
    consumer = ConsumerActs(
        processes=parts.stores.transfer_processes,
        doors=DestinationDoors(
            provisioners=parts.provisioners,
            data_flows=parts.data_flows,
            addresses=parts.addresses,
            vault=parts.vault,
            clock=parts.clock,
        ),
        data_flows=parts.data_flows,
        client=parts.client,
        evidence=parts.evidence,
        staged=StagedArrivals(
            parts.placement, parts.clock, slice_seconds=settings.transfer.lease_seconds * _SLICE_SHARE_OF_LEASE
        ),
        trusting=frozenset(p.id for p in settings.counterparties if p.completion_evidence == "message"),
        clock=parts.clock,
        restart_look_seconds=settings.transfer.restart_look_seconds,
    )
    provider = ProviderActs(
        assets=parts.stores.assets,
        data_flows=parts.data_flows,
        addresses=parts.addresses,
        client=parts.client,
        vault=parts.vault,
        clock=parts.clock,
    )
    admission = TransferAdmission(
        parts.stores.contract_negotiations, parts.policies, parts.clock, look_by=monitor.look_by
    )
    return TransferProcessManager(
        acts={**consumer.acts(), **admission.gated(provider.acts())},
        resource_acts={**consumer.resource_acts(), **provider.resource_acts()},
        patience=patience_of(settings.transfer, settings.negotiation),
        guard=guards.transfers,
        clock=parts.clock,
    )


def entity_loops(
    settings: ControlPlaneSettings, parts: Parts, guards: PendingGuards, monitor: PolicyMonitor
) -> tuple[EntityLoop[TransferProcess], EntityLoop[ContractNegotiation]]:
    """What moves transfers and negotiations on, not running yet."""
    transfers = _transfer_manager(settings, parts, guards, monitor)
    patience = patience_of(settings.transfer, settings.negotiation)
    negotiations = ContractNegotiationManager(
        acts=negotiation_acts(parts), patience=patience, guard=guards.negotiations, clock=parts.clock
    )
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


def policy_monitor_of(timing: TransferSettings, parts: Parts) -> PolicyMonitor:
    """What ends transfers whose policy holds no more, not running yet."""
    return PolicyMonitor(
        processes=parts.stores.transfer_processes,
        negotiations=parts.stores.contract_negotiations,
        policies=parts.policies,
        clock=parts.clock,
        interval_seconds=timing.policy_check_seconds,
    )


def _scheduler(timing: TransferSettings, parts: Parts) -> AsyncIOScheduler:
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
    if timing.orphaned_secret_seconds:
        _add_secret_sweep(scheduler, timedelta(seconds=timing.orphaned_secret_seconds), parts)
    scheduler.start()
    return scheduler


def _add_secret_sweep(scheduler: AsyncIOScheduler, waiting: timedelta, parts: Parts) -> None:
    orphans = OrphanedSecrets(parts.vault, parts.stores)
    sweep = OrphanSweep(find=orphans.find, vault=parts.vault, clock=parts.clock, waiting=waiting)
    scheduler.add_job(
        sweep.sweep,
        "interval",
        seconds=looks_every(waiting).total_seconds(),
        coalesce=True,
        misfire_grace_time=None,
        next_run_time=parts.clock.now(),
    )
