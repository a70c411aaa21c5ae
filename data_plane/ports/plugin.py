"""Plug-ins: sources and sinks of further DataAddress types, found by the entry points of installed packages.

A package declares, with the address type as the name:

    [project.entry-points."dataspace_connector.data_sources"]
    Ftp = "our_ftp:source_factory"

    [project.entry-points."dataspace_connector.data_sinks"]
    Ftp = "our_ftp:sink_factory"

The object is called once, at the start of the data plane, with a `PluginContext`; it returns the factory. It must not
wait: what a source needs is opened by the factory's `open`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from connector_spi.clock import Clock
from connector_spi.outbound_addresses import OutboundAddressPolicy
from connector_spi.vault import Vault
from data_plane.ports.data_sink import DataSinkFactory
from data_plane.ports.data_source import DataSourceFactory

SOURCES_GROUP: Final = "dataspace_connector.data_sources"
SINKS_GROUP: Final = "dataspace_connector.data_sinks"


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginContext:
    """What a plug-in gets."""

    vault: Vault
    clock: Clock
    outbound: OutboundAddressPolicy
    """Which addresses may be called; a plug-in that calls any has to ask it."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The plug-in's own settings: `plugins.<address type>` of the data plane's."""


SourcePlugin = Callable[[PluginContext], DataSourceFactory]
SinkPlugin = Callable[[PluginContext], DataSinkFactory]
