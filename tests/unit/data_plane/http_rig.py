"""HTTP sources and sinks over a server of the test's own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from connector_spi.data_address import DataAddress
from connector_spi.outbound_addresses import OutboundAddressPolicy
from data_plane.adapters.http_sink import HttpDataSink, HttpDataSinkFactory
from data_plane.adapters.http_source import HttpDataSource, HttpDataSourceFactory
from outbound_http.guarded_session import open_guarded_session
from tests.http_objects import HttpObjects, serving_objects
from tests.unit.data_plane.fakes import a_data_flow
from vault_adapters.memory import InMemoryVault

LOOPBACK = OutboundAddressPolicy(allowed_networks=("127.0.0.0/8",), allow_http=True)
DIGEST_MAX_BYTES = 64 * 1024
"""Smaller than in earnest, so that small tests meet the ways of large objects."""


@dataclass
class HttpRig:
    """`sources` and `sinks` may call the server; secrets lie in `vault`."""

    server: HttpObjects
    sources: HttpDataSourceFactory
    sinks: HttpDataSinkFactory
    secrets: dict[str, str] = field(default_factory=dict)

    def address(self, path: str = "", **properties: str) -> DataAddress:
        return DataAddress("HttpData", {"baseUrl": self.server.base, "path": path, **properties})

    @asynccontextmanager
    async def source(self, path: str, **properties: str) -> AsyncIterator[HttpDataSource]:
        """The source of this object, its address accepted first, as a flow's is."""
        async with self.sources.open(self.sources.accepted(self.address(path, **properties))) as source:
            yield source

    @asynccontextmanager
    async def sink(self, path: str = "", **properties: str) -> AsyncIterator[HttpDataSink]:
        """The sink of a flow with this destination; without a path it is a folder."""
        flow = a_data_flow(destination=self.sinks.accepted(self.address(path, **properties)))
        async with self.sinks.open(flow) as sink:
            yield sink


@asynccontextmanager
async def http_rig(server: HttpObjects | None = None) -> AsyncIterator[HttpRig]:
    secrets: dict[str, str] = {}
    vault = InMemoryVault(secrets)
    async with serving_objects(server or HttpObjects()) as serving, open_guarded_session(LOOPBACK) as session:
        sources = HttpDataSourceFactory(
            vault=vault, session=session, policy=LOOPBACK, digest_max_bytes=DIGEST_MAX_BYTES
        )
        sinks = HttpDataSinkFactory(vault=vault, session=session, policy=LOOPBACK)
        yield HttpRig(serving, sources, sinks, secrets)
