"""What is opened for a control plane, and shared by several services."""

from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

from azure_storage.account_access import Credentials
from azure_storage.containers import ObjectStorage
from azure_storage.endpoints import StorageEndpoints
from azure_storage.opening import OpenedStorage, open_storage
from azure_storage.relocation import Relocator
from connector_spi.clock import Clock
from connector_spi.data_address import AZURE_STORAGE
from connector_spi.outbound_addresses import OutboundAddressPolicy
from connector_spi.vault import Vault
from control_plane.adapters.data_flow_client import DataFlowClient
from control_plane.adapters.data_plane_directory import DataPlaneDirectory
from control_plane.adapters.dsp_client import DspClient
from control_plane.adapters.memory_stores import memory_stores
from control_plane.adapters.object_storage_evidence import ObjectStorageEvidence, ReceiptTrust
from control_plane.adapters.object_storage_placement import ObjectStoragePlacement
from control_plane.adapters.object_storage_provisioner import ObjectStorageProvisioner
from control_plane.adapters.sql_stores import migrate_stores, open_stores
from control_plane.adapters.version_directory import VersionDirectory
from control_plane.bootstrap.data_planes import data_plane_identity, open_directory
from control_plane.bootstrap.identities import open_identity
from control_plane.bootstrap.policies import plugin_contexts, policy_engine
from control_plane.dsp_messages import PROTOCOL
from control_plane.ports.counterparty_identity import CounterpartyIdentity
from control_plane.ports.data_plane_identity import DataPlaneIdentity
from control_plane.ports.policy_function import PolicyFunction
from control_plane.ports.stores import Stores
from control_plane.protocol_api.versions import VERSION_PATH
from control_plane.services.policy_engine import PolicyEngine
from control_plane.services.transfer_addresses import TransferAddresses
from control_plane.settings import ControlPlaneSettings
from outbound_http.guarded_client import guarded_client
from sql_storage.database import Database

_METADATA_SECONDS: Final = 3.0
"""Limit of one look at a counterparty's version document; the message waits for it."""
_CALL_SHARE_OF_LEASE: Final = 0.4
MEMORY_DATABASE: Final = "memory://"
"""Database address that keeps everything in memory: for development, nothing outlives the process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What was opened, and what several services share."""

    stores: Stores
    vault: Vault
    clock: Clock
    endpoints: StorageEndpoints
    storage: ObjectStorage
    outbound: OutboundAddressPolicy
    identity: CounterpartyIdentity
    client: DspClient
    directory: DataPlaneDirectory
    data_plane_identity: DataPlaneIdentity
    data_flows: DataFlowClient
    addresses: TransferAddresses
    policies: PolicyEngine
    evidence: ObjectStorageEvidence
    placement: ObjectStoragePlacement
    provisioners: Mapping[str, ObjectStorageProvisioner]


async def open_parts(
    settings: ControlPlaneSettings,
    vault: Vault,
    clock: Clock,
    stack: AsyncExitStack,
    *,
    identity: CounterpartyIdentity | None,
    policy_functions: Iterable[PolicyFunction],
    entra: Credentials | None = None,
) -> Parts:
    """Open everything; it is closed with the stack.

    Raises:
        ConfigurationError: a setting cannot work.
        StoreUnavailableError: the database did not answer.
    """
    stores = await _open_stores(settings.database_url, clock, stack)
    opened = await _open_storage(settings, vault, clock, stack, entra)
    storage = opened.objects
    outbound = OutboundAddressPolicy(**settings.outbound.model_dump())
    http = await stack.enter_async_context(guarded_client(outbound, call_seconds=settings.transfer.call_seconds))
    identity = identity or open_identity(settings, vault=vault, clock=clock, guarded=http)
    directory = await open_directory(settings, stores, vault, http, stack)
    return Parts(
        stores=stores,
        vault=vault,
        clock=clock,
        endpoints=opened.endpoints,
        storage=storage,
        outbound=outbound,
        identity=identity,
        client=DspClient(
            http=http,
            identity=identity,
            callback_address=base_url(settings),
            call_seconds=settings.transfer.call_seconds,
            versions=VersionDirectory(http, call_seconds=min(_METADATA_SECONDS, settings.transfer.call_seconds)),
        ),
        directory=directory,
        data_plane_identity=data_plane_identity(settings, stores, vault, http, clock),
        data_flows=_data_flow_client(settings, directory, vault),
        addresses=TransferAddresses(vault, stores.transfer_processes),
        policies=policy_engine(
            stores.transfer_processes,
            policy_functions,
            plugin_contexts(settings.policy_plugins, vault, clock, outbound),
        ),
        evidence=_evidence(settings, storage),
        placement=_placement(settings, opened, clock),
        provisioners={AZURE_STORAGE: _provisioner(settings, storage)},
    )


async def _open_storage(
    settings: ControlPlaneSettings, vault: Vault, clock: Clock, stack: AsyncExitStack, entra: Credentials | None
) -> OpenedStorage:
    return await stack.enter_async_context(
        open_storage(
            settings.storage,
            vault,
            clock,
            credentials=entra,
            call_seconds=settings.transfer.call_seconds,
        )
    )


def _data_flow_client(settings: ControlPlaneSettings, directory: DataPlaneDirectory, vault: Vault) -> DataFlowClient:
    return DataFlowClient(
        directory=directory,
        vault=vault,
        signaling_url=settings.signaling_url,
        dataspace_context=PROTOCOL,
        call_seconds=settings.transfer.call_seconds,
    )


def _evidence(settings: ControlPlaneSettings, storage: ObjectStorage) -> ObjectStorageEvidence:
    known = [(peer, peer.public_key) for peer in settings.counterparties]
    trust = {peer.id: ReceiptTrust.of(peer.id, key, peer.receipts) for peer, key in known if key is not None}
    return ObjectStorageEvidence(storage, trust)


def _placement(settings: ControlPlaneSettings, opened: OpenedStorage, clock: Clock) -> ObjectStoragePlacement:
    # A request that is under way when a slice ends is waited for, and the step must still end before its lease.
    call_seconds = settings.transfer.lease_seconds * _CALL_SHARE_OF_LEASE
    relocator = Relocator(opened.session, clock, call_seconds)
    return ObjectStoragePlacement(opened.objects, opened.endpoints, relocator, with_tags=settings.storage.allow_tags)


def _provisioner(settings: ControlPlaneSettings, storage: ObjectStorage) -> ObjectStorageProvisioner:
    rules = settings.storage
    return ObjectStorageProvisioner(
        storage,
        sas_seconds=rules.sas_seconds,
        allow_tags=rules.allow_tags,
        hierarchical=frozenset(account.name for account in rules.accounts if account.hierarchical_namespace),
    )


async def _open_stores(database_url: str, clock: Clock, stack: AsyncExitStack) -> Stores:
    if database_url == MEMORY_DATABASE:
        return memory_stores(clock)
    database = Database.open(database_url)
    stack.push_async_callback(database.aclose)
    await migrate_stores(database)
    return open_stores(database, clock)


def base_url(settings: ControlPlaneSettings) -> str:
    """The Dataspace Protocol's base address, with the version path."""
    return settings.protocol_url.rstrip("/") + VERSION_PATH
