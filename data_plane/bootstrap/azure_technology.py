"""AzureStorage: its source, its sink and its preparer, over the storage that was opened."""

from dataclasses import dataclass
from datetime import timedelta

from azure_storage.block_client import BlockBlobClient
from azure_storage.copy_client import BlobCopyClient
from azure_storage.opening import OpenedStorage
from connector_spi.clock import Clock
from connector_spi.vault import Vault
from data_plane.adapters.azure_credential import WriteCredentials
from data_plane.adapters.azure_preparer import AzureDestinationPreparer
from data_plane.adapters.azure_sink import AzureSinkRules
from data_plane.adapters.azure_sink_factory import AzureStorageSinkFactory
from data_plane.adapters.azure_source import AzureStorageSourceFactory
from data_plane.adapters.receipt_signer import ReceiptSigner
from data_plane.domain.credential_life import RenewalTiming
from data_plane.ports.credential_renewal import CredentialRenewal
from data_plane.settings import DataPlaneSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureTechnology:
    """What serves the addresses of type AzureStorage."""

    source: AzureStorageSourceFactory
    sink: AzureStorageSinkFactory
    preparer: AzureDestinationPreparer


def azure_technology(
    settings: DataPlaneSettings,
    vault: Vault,
    clock: Clock,
    opened: OpenedStorage,
    *,
    renewal: CredentialRenewal,
    signer: ReceiptSigner | None = None,
) -> AzureTechnology:
    """What serves the addresses, over the opened storage."""
    blobs = BlockBlobClient(opened.session, clock=clock)
    sink = AzureStorageSinkFactory(
        credentials=_credentials(settings, vault, clock, renewal),
        blobs=blobs,
        copies=BlobCopyClient(opened.session, clock=clock),
        endpoints=opened.endpoints,
        clock=clock,
        rules=AzureSinkRules(
            signature_grace=timedelta(seconds=settings.signature_grace_seconds),
            block_checksum=settings.block_checksum,
            carry_tags=settings.carry_tags,
        ),
        signer=signer,
    )
    source = AzureStorageSourceFactory(
        storage=opened.objects,
        blobs=blobs,
        endpoints=opened.endpoints,
        clock=clock,
        carry_tags=settings.carry_tags,
        default_containers={
            account.name: account.default_container
            for account in settings.storage.accounts
            if account.default_container is not None
        },
    )
    preparer = AzureDestinationPreparer(
        opened.objects, signature_seconds=settings.prepared_signature_seconds, allow_tags=settings.carry_tags
    )
    return AzureTechnology(source=source, sink=sink, preparer=preparer)


def _credentials(
    settings: DataPlaneSettings, vault: Vault, clock: Clock, renewal: CredentialRenewal
) -> WriteCredentials:
    timing = RenewalTiming(
        renew_before=timedelta(seconds=settings.renew_before_seconds),
        park_before=timedelta(seconds=settings.park_before_seconds),
        patience=timedelta(seconds=settings.renewal_patience_seconds),
    )
    return WriteCredentials(vault=vault, clock=clock, renewal=renewal, timing=timing)
