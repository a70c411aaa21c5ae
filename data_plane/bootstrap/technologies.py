"""Which sources, sinks and preparers serve which DataAddress types."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta

from azure_storage.account_keys import AccountKeys
from azure_storage.block_client import BlockBlobClient
from azure_storage.containers import ObjectStorage
from azure_storage.copy_client import BlobCopyClient
from azure_storage.endpoints import StorageEndpoints
from azure_storage.session import open_storage_session
from connector_spi.clock import Clock
from connector_spi.data_address import AZURE_STORAGE
from connector_spi.vault import Vault
from data_plane.adapters.azure_credential import WriteCredentials
from data_plane.adapters.azure_preparer import AzureDestinationPreparer
from data_plane.adapters.azure_sink import AzureSinkRules
from data_plane.adapters.azure_sink_factory import AzureStorageSinkFactory
from data_plane.adapters.azure_source import AzureStorageSourceFactory
from data_plane.domain.credential_life import RenewalTiming
from data_plane.ports.credential_renewal import CredentialRenewal
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
    settings: DataPlaneSettings, vault: Vault, clock: Clock, stack: AsyncExitStack, *, renewal: CredentialRenewal
) -> Technologies:
    """Open the connections that the technologies need; `stack` closes them."""
    endpoints = StorageEndpoints(settings.storage_endpoint_template)
    session = await stack.enter_async_context(open_storage_session())
    blobs = BlockBlobClient(session, clock=clock)
    storage = ObjectStorage(
        endpoints=endpoints, account_keys=AccountKeys(vault, clock=clock), clock=clock, session=session
    )
    sink = AzureStorageSinkFactory(
        credentials=_credentials(settings, vault, clock, renewal),
        blobs=blobs,
        copies=BlobCopyClient(session, clock=clock),
        endpoints=endpoints,
        clock=clock,
        rules=AzureSinkRules(
            signature_grace=timedelta(seconds=settings.signature_grace_seconds),
            block_checksum=settings.block_checksum,
            carry_tags=settings.carry_tags,
        ),
    )
    source = AzureStorageSourceFactory(
        storage=storage, blobs=blobs, endpoints=endpoints, clock=clock, carry_tags=settings.carry_tags
    )
    preparer = AzureDestinationPreparer(storage, signature_seconds=settings.prepared_signature_seconds)
    return Technologies(
        sources=FactoryRegistry("source", {AZURE_STORAGE: source}),
        sinks=FactoryRegistry("sink", {AZURE_STORAGE: sink}),
        preparers=FactoryRegistry("preparer of destinations", {AZURE_STORAGE: preparer}),
    )


def _credentials(
    settings: DataPlaneSettings, vault: Vault, clock: Clock, renewal: CredentialRenewal
) -> WriteCredentials:
    timing = RenewalTiming(
        renew_before=timedelta(seconds=settings.renew_before_seconds),
        park_before=timedelta(seconds=settings.park_before_seconds),
        patience=timedelta(seconds=settings.renewal_patience_seconds),
    )
    return WriteCredentials(vault=vault, clock=clock, renewal=renewal, timing=timing)
