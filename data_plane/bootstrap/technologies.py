"""Which sources, sinks and preparers serve which DataAddress types: built in, and from plug-ins."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from azure_storage.opening import OpenedStorage
from connector_spi.clock import Clock
from connector_spi.data_address import AZURE_STORAGE
from connector_spi.outbound_addresses import OutboundAddressPolicy
from connector_spi.vault import Vault
from data_plane.adapters.http_address import HTTP_DATA
from data_plane.adapters.http_sink import HttpDataSinkFactory
from data_plane.adapters.http_source import HttpDataSourceFactory
from data_plane.adapters.local_file_root import LOCAL_FILE, FileRoot, FileThreads
from data_plane.adapters.local_file_sink import LocalFileDataSinkFactory
from data_plane.adapters.local_file_source import LocalFileDataSourceFactory
from data_plane.adapters.receipt_signer import ReceiptSigner
from data_plane.bootstrap.azure_technology import azure_technology
from data_plane.bootstrap.plugins import load_plugins
from data_plane.bootstrap.receipt_signing import open_signer
from data_plane.ports.credential_renewal import CredentialRenewal
from data_plane.ports.data_sink import DataSinkFactory
from data_plane.ports.data_source import DataSourceFactory
from data_plane.ports.destination_preparer import DestinationPreparer
from data_plane.ports.plugin import SINKS_GROUP, SOURCES_GROUP, PluginContext
from data_plane.services.registry import FactoryRegistry
from data_plane.settings import DataPlaneSettings, OutboundSettings
from outbound_http.guarded_session import open_guarded_session


@dataclass(frozen=True, slots=True, kw_only=True)
class Technologies:
    """The registries by address type."""

    sources: FactoryRegistry[DataSourceFactory]
    sinks: FactoryRegistry[DataSinkFactory]
    preparers: FactoryRegistry[DestinationPreparer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Factories:
    """Sources and sinks by address type."""

    sources: Mapping[str, DataSourceFactory] = field(default_factory=dict)
    sinks: Mapping[str, DataSinkFactory] = field(default_factory=dict)


NO_FACTORIES = Factories()


async def open_technologies(
    settings: DataPlaneSettings,
    vault: Vault,
    clock: Clock,
    stack: AsyncExitStack,
    *,
    storage: OpenedStorage,
    renewal: CredentialRenewal,
    further: Factories = NO_FACTORIES,
) -> Technologies:
    """Open the connections that the technologies need; `stack` closes them.

    `storage`: this participant's, opened. `further`: what the caller adds; it goes before everything of the same type.

    Raises:
        ConfigurationError: a setting is wrong.
        SecretNotFoundError, ReceiptKeyError: there is no usable key to sign receipts with.
    """
    signer = await open_signer(settings, vault, clock)
    azure = azure_technology(settings, vault, clock, storage, renewal=renewal, signer=signer)
    http = await _http(_policy(settings.outbound), vault, stack)
    files = _local_files(settings.local_file_root, stack, signer)
    sources = {AZURE_STORAGE: azure.source, **http.sources, **files.sources}
    sinks = {AZURE_STORAGE: azure.sink, **http.sinks, **files.sinks}

    def context(address_type: str) -> PluginContext:
        return PluginContext(
            vault=vault,
            clock=clock,
            outbound=_policy(settings.outbound),
            settings=settings.plugins.get(address_type, {}),
        )

    # LocalFile is built in also where it is off: a plug-in must not bring it back.
    built_in = {AZURE_STORAGE, HTTP_DATA, LOCAL_FILE}
    source_plugins = load_plugins(SOURCES_GROUP, _source_factory, context=context, built_in=built_in)
    sink_plugins = load_plugins(SINKS_GROUP, _sink_factory, context=context, built_in=built_in)
    return Technologies(
        sources=FactoryRegistry(
            "source", {**source_plugins.factories, **sources, **further.sources}, broken=source_plugins.broken
        ),
        sinks=FactoryRegistry("sink", {**sink_plugins.factories, **sinks, **further.sinks}, broken=sink_plugins.broken),
        preparers=FactoryRegistry("preparer of destinations", {AZURE_STORAGE: azure.preparer}),
    )


async def _http(policy: OutboundAddressPolicy, vault: Vault, stack: AsyncExitStack) -> Factories:
    session = await stack.enter_async_context(open_guarded_session(policy))
    return Factories(
        sources={HTTP_DATA: HttpDataSourceFactory(vault=vault, session=session, policy=policy)},
        sinks={HTTP_DATA: HttpDataSinkFactory(vault=vault, session=session, policy=policy)},
    )


def _local_files(root: str, stack: AsyncExitStack, signer: ReceiptSigner | None) -> Factories:
    if not root:
        return NO_FACTORIES
    below, threads = FileRoot(Path(root)), FileThreads()
    stack.callback(threads.close)
    return Factories(
        sources={LOCAL_FILE: LocalFileDataSourceFactory(below, threads)},
        sinks={LOCAL_FILE: LocalFileDataSinkFactory(below, threads, signer=signer)},
    )


def _policy(settings: OutboundSettings) -> OutboundAddressPolicy:
    return OutboundAddressPolicy(
        allowed_hosts=settings.allowed_hosts,
        allowed_networks=settings.allowed_networks,
        allow_http=settings.allow_http,
    )


def _source_factory(made: Any) -> DataSourceFactory:
    factory: DataSourceFactory = _having(made, "accepted", "open")
    return factory


def _sink_factory(made: Any) -> DataSinkFactory:
    factory: DataSinkFactory = _having(made, "accepted", "destination_name", "open")
    return factory


def _having(made: Any, *methods: str) -> Any:
    missing = [method for method in methods if not callable(getattr(made, method, None))]
    if missing:
        raise TypeError(f"what it made is no factory: it has no {', '.join(missing)}")
    return made
