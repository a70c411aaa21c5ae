"""Which sources, sinks and preparers serve which DataAddress types."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta

from azure_storage.account_keys import AccountKeys
from azure_storage.block_client import BlockBlobClient
from azure_storage.containers import ObjectStorage
from azure_storage.endpoints import StorageEndpoints
from azure_storage.session import open_storage_session
from connector_spi.clock import Clock
from connector_spi.data_address import AZURE_STORAGE
from connector_spi.vault import Vault
from data_plane.adapters.azure_preparer import AzureDestinationPreparer
from data_plane.adapters.azure_sink import AzureStorageSinkFactory
from data_plane.adapters.azure_source import AzureStorageSourceFactory
from data_plane.ports.data_sink import DataSinkFactory
from data_plane.ports.data_source import DataSourceFactory
from data_plane.ports.destination_preparer import DestinationPreparer
from data_plane.services.registry import FactoryRegistry
from data_plane.settings import DataPlaneSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Technologies:
    """The registries by address type."""

    sources: FactoryRegistry[DataSourceFactory]
    sinks: FactoryRegistry[DataSinkFactory]
    preparers: FactoryRegistry[DestinationPreparer]


async def open_technologies(
    settings: DataPlaneSettings, vault: Vault, clock: Clock, stack: AsyncExitStack
) -> Technologies:
    """Open the connections that the technologies need; `stack` closes them."""
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
    return Technologies(
        sources=FactoryRegistry("source", {AZURE_STORAGE: source}),
        sinks=FactoryRegistry("sink", {AZURE_STORAGE: sink}),
        preparers=FactoryRegistry("preparer of destinations", {AZURE_STORAGE: preparer}),
    )
