"""The transfer profiles of a data plane, and who serves them."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from azure_storage.block_client import BlockBlobClient
from azure_storage.opening import OpenedStorage
from azure_storage.signed_requests import SignedRequests
from connector_spi.clock import Clock
from connector_spi.data_address import AZURE_STORAGE, DataAddress
from connector_spi.vault import Vault
from data_plane.adapters.azure_granted_source import GrantedBlobSourceFactory
from data_plane.adapters.azure_granter import AzureBlobGranter
from data_plane.adapters.configured_datasets import ConfiguredDatasets
from data_plane.adapters.local_file_root import LOCAL_FILE
from data_plane.bootstrap.extensions import Extensions, installed_profiles
from data_plane.bootstrap.technologies import Factories, Technologies
from data_plane.domain.transfer_profile import Direction, TransferProfile
from data_plane.ports.access_granter import AccessGranter
from data_plane.ports.dataset_registry import DatasetRegistry
from data_plane.ports.destination_preparer import DestinationPreparer
from data_plane.services.inbox_grants import InboxGrants
from data_plane.services.profile_registry import HTTP_DATA, ProfileRegistry
from data_plane.services.public_grants import PublicGranter
from data_plane.services.received_addresses import AZURE_STORAGE_GRANTED
from data_plane.services.registry import FactoryRegistry
from data_plane.settings import DataPlaneSettings

HTTP_PROFILE: Final = "https://w3id.org/dspace-sig/profile/http"


def profiles_of(settings: DataPlaneSettings, extensions: Extensions) -> ProfileRegistry:
    """Built-in profiles, those of installed packages, and those of the caller.

    Raises:
        ConfigurationError: a name stands for two profiles, or a package's profiles cannot be loaded.
    """
    return ProfileRegistry([*_built_in(settings), *installed_profiles(), *extensions.profiles])


def _built_in(settings: DataPlaneSettings) -> Iterator[TransferProfile]:
    push, pull = Direction.PUSH, Direction.PULL
    root = f"{settings.profile_root.rstrip('/')}/azure-blob"
    yield TransferProfile(name="AzureStorage-PUSH", direction=push, address_type=AZURE_STORAGE)
    yield TransferProfile(name="AzureStorage-PULL", direction=pull, address_type=AZURE_STORAGE)
    yield TransferProfile(name=f"{root}-push", direction=push, address_type=AZURE_STORAGE)
    yield TransferProfile(name=f"{root}-pull", direction=pull, address_type=AZURE_STORAGE)
    yield TransferProfile(name="HttpData-PUSH", direction=push, address_type=HTTP_DATA)
    yield TransferProfile(name=f"{HTTP_PROFILE}-push", direction=push, address_type=HTTP_DATA)
    if settings.local_file_root:
        yield TransferProfile(name="LocalFile-PUSH", direction=push, address_type=LOCAL_FILE)
    yield TransferProfile(name="HttpData-PULL", direction=pull, address_type=HTTP_DATA)
    yield TransferProfile(name=f"{HTTP_PROFILE}-pull", direction=pull, address_type=HTTP_DATA, renewable=True)


def granters_of(
    settings: DataPlaneSettings, storage: OpenedStorage, clock: Clock, extensions: Extensions
) -> FactoryRegistry[AccessGranter]:
    """Who opens sources to the consumers of pulls."""
    blobs = AzureBlobGranter(storage.objects, storage.endpoints, signature_seconds=settings.pull_signature_seconds)
    granters: dict[str, AccessGranter] = {AZURE_STORAGE: blobs}
    if settings.public_url:
        granters[HTTP_DATA] = PublicGranter(
            public_url=settings.public_url,
            token_life=timedelta(seconds=settings.public_token_seconds),
            clock=clock,
        )
    return FactoryRegistry("granter of access", {**granters, **extensions.granters})


def granted_sources(storage: OpenedStorage, vault: Vault) -> Factories:
    """Who reads what the providers of pulls open to us."""
    granted = GrantedBlobSourceFactory(
        vault=vault,
        requests=SignedRequests(storage.session),
        blobs=BlockBlobClient(storage.session),
        endpoints=storage.endpoints,
    )
    return Factories(sources={AZURE_STORAGE_GRANTED: granted})


def inboxes_of(settings: DataPlaneSettings, clock: Clock) -> InboxGrants:
    """Who gives addresses here to the senders of HTTP pushes."""
    life = timedelta(seconds=settings.max_flow_seconds)
    return InboxGrants(public_url=settings.public_url, longest_life=life, clock=clock)


def preparers_of(technologies: Technologies, extensions: Extensions) -> FactoryRegistry[DestinationPreparer]:
    """Who makes places for the senders of pushes."""
    built_in = {kind: technologies.preparers.of(kind) for kind in technologies.preparers.types}
    return FactoryRegistry("preparer of destinations", {**built_in, **extensions.preparers})


def datasets_of(settings: DataPlaneSettings, extensions: Extensions) -> DatasetRegistry:
    """Who knows where datasets lie and go."""
    sources, destinations = (
        {name: DataAddress(own.type, own.properties) for name, own in configured.items()}
        for configured in (settings.datasets, settings.destinations)
    )
    return extensions.datasets or ConfiguredDatasets(sources, destinations)
