"""Sources and sinks of installed packages are found by their entry points, and a broken one stops nobody else."""

import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from azure_storage.opening import open_storage
from connector_spi.clock import SystemClock
from data_plane.bootstrap.technologies import Factories, Technologies, open_technologies
from data_plane.domain.data_flow import DataFlow
from data_plane.domain.errors import PluginBrokenError, UnsupportedAddressTypeError
from data_plane.settings import DataPlaneSettings, OutboundSettings
from tests.unit.data_plane.fakes import MemorySink, MemorySource
from vault_adapters.memory import InMemoryVault

MODULE = """
    class Factory:
        def __init__(self, context):
            self.context = context
        def accepted(self, address):
            return address
        def open(self, address):
            raise NotImplementedError
        def destination_name(self, flow, source, *, single):
            return source.name

    def not_a_factory(context):
        return object()

    def raising(context):
        raise RuntimeError("no licence")
"""
ENTRY_POINTS = """
    [dataspace_connector.data_sources]
    Ftp = planted_plugin:Factory
    AzureStorage = planted_plugin:Factory
    LocalFile = planted_plugin:Factory
    Missing = planted_plugin_that_is_not_there:Factory
    Nothing = planted_plugin:not_a_factory
    Raising = planted_plugin:raising

    [dataspace_connector.data_sinks]
    Ftp = planted_plugin:Factory
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package as an installer leaves it."""
    (tmp_path / "planted_plugin.py").write_text(dedent(MODULE))
    package(tmp_path, "planted", ENTRY_POINTS)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("planted_plugin", None)


def package(folder: Path, name: str, points: str) -> None:
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(dedent(points))


class NoRenewal:
    """Gives out nothing."""

    async def renewed(self, flow: DataFlow) -> None:
        raise NotImplementedError


async def technologies(settings: DataPlaneSettings, further: Factories | None = None) -> Technologies:
    async with AsyncExitStack() as stack:
        vault, clock = InMemoryVault({}), SystemClock()
        storage = await stack.enter_async_context(open_storage(settings.storage, vault, clock))
        return await open_technologies(
            settings, vault, clock, stack, storage=storage, renewal=NoRenewal(), further=further or Factories()
        )


SETTINGS = DataPlaneSettings(
    plugins={"Ftp": {"host": "ftp.example"}}, outbound=OutboundSettings(allowed_hosts=("ftp.example",))
)


@pytest.mark.usefixtures("installed")
async def test_a_plug_in_gets_its_own_settings_and_serves_its_type() -> None:
    found = await technologies(SETTINGS)
    factories: list[Any] = [found.sources.of("Ftp"), found.sinks.of("Ftp")]
    for context in (factory.context for factory in factories):
        assert context.settings == {"host": "ftp.example"}
        assert context.outbound.allowed_hosts == ("ftp.example",)
        assert context.vault


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("address_type", "why"),
    [
        ("Missing", "planted_plugin_that_is_not_there"),
        ("Nothing", "no factory: it has no accepted, open"),
        ("Raising", "RuntimeError: no licence"),
    ],
)
async def test_a_broken_plug_in_is_named_at_the_start_and_stops_only_who_asks_for_it(
    address_type: str, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    found = await technologies(SETTINGS)
    reported = [getattr(record, "plugin", "") for record in caplog.records]
    assert f"dataspace_connector.data_sources:{address_type}" in reported
    with pytest.raises(PluginBrokenError, match=why):
        found.sources.of(address_type)
    assert "Ftp" in found.sources.types


@pytest.mark.usefixtures("installed")
async def test_a_built_in_type_cannot_be_taken_over(caplog: pytest.LogCaptureFixture) -> None:
    found = await technologies(SETTINGS)
    assert type(found.sources.of("AzureStorage")).__module__ == "data_plane.adapters.azure_source"
    with pytest.raises(UnsupportedAddressTypeError, match="LocalFile"):
        found.sources.of("LocalFile")
    reported = [getattr(record, "plugin", "") for record in caplog.records]
    assert "dataspace_connector.data_sources:AzureStorage" in reported


@pytest.mark.usefixtures("installed")
async def test_of_two_packages_that_claim_one_type_neither_serves_it(tmp_path: Path) -> None:
    package(tmp_path, "rival", "[dataspace_connector.data_sources]\nFtp = planted_plugin:raising\n")
    found = await technologies(SETTINGS)
    with pytest.raises(PluginBrokenError, match="several packages"):
        found.sources.of("Ftp")
    assert "Ftp" in found.sinks.types


async def test_what_the_caller_adds_is_there_beside_the_built_in_types(tmp_path: Path) -> None:
    source, sink = MemorySource(), MemorySink()
    settings = DataPlaneSettings(local_file_root=str(tmp_path))
    found = await technologies(settings, Factories(sources={"Memory": source}, sinks={"Memory": sink}))
    assert found.sources.of("Memory") is source
    assert found.sinks.of("Memory") is sink
    assert found.sources.types == found.sinks.types == {"AzureStorage", "HttpData", "LocalFile", "Memory"}


@pytest.mark.parametrize("network", ["10.0.0.0/33", "nowhere"])
def test_a_network_that_is_none_is_refused(network: str) -> None:
    with pytest.raises(ValueError, match="allowed_networks"):
        DataPlaneSettings.model_validate({"outbound": {"allowed_networks": [network]}})
