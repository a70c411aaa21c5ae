"""FaultProxy: passes requests on byte for byte, Host header included, and injects faults where a test says so.

Account keys sign the path and SAS do not sign the host, so signatures hold; the emulator compares the host of a copy's
source with the Host header, so server-side copies work through the proxy as well. One connection to the service for
each request: a broken one never spoils the next.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from emulators.certificates import Certificates
from tests.fault_proxy.exchange import Exchange
from tests.fault_proxy.faults import Fault, named, passed_on
from tests.fault_proxy.http_wire import PIECE_BYTES, read_head
from tests.fault_proxy.storage_request import Recorded, StorageRequest

Where = Callable[[StorageRequest], bool]


@dataclass(slots=True)
class Injection:
    """A fault, and which requests meet it: those that match, without the first `skip`, at most `times` of them."""

    fault: Fault
    where: Where
    skip: int
    times: int | None
    matched: int = 0
    hits: int = 0
    hit: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once a request has met it."""

    def takes(self, request: StorageRequest) -> bool:
        """Whether this request meets it; counts."""
        if (self.times is not None and self.hits >= self.times) or not self.where(request):
            return False
        self.matched += 1
        if self.matched <= self.skip:
            return False
        self.hits += 1
        self.hit.set()
        return True


@dataclass(slots=True)
class FaultProxy:
    """`endpoint_template` is for `StorageEndpoints`; `requests` are all that came, in order."""

    upstream: tuple[str, int]
    upstream_tls: ssl.SSLContext | None = None
    endpoint_template: str = ""
    requests: list[Recorded] = field(default_factory=list)
    injections: list[Injection] = field(default_factory=list)
    _connections: set[asyncio.Task[None]] = field(default_factory=set)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def inject(
        self,
        fault: Fault,
        operation: str = "",
        *,
        blob: str = "",
        where: Where = lambda _: True,
        skip: int = 0,
        times: int | None = 1,
    ) -> Injection:
        """Let requests of this operation, to blobs whose name ends so, meet the fault; `times` None: all of them.

        The first injection that takes a request decides.
        """

        def matches(request: StorageRequest) -> bool:
            return (
                operation in {"", request.operation}
                and request.blob.endswith(blob)
                and (not blob or bool(request.blob))
                and where(request)
            )

        self.injections.append(Injection(fault, matches, skip, times))
        return self.injections[-1]

    def of(self, *operations: str, blob: str = "") -> list[Recorded]:
        """What came of these operations, to blobs whose name ends so."""
        return [record for record in self.requests if record.operation in operations and record.blob.endswith(blob)]

    def body_bytes(self, *operations: str, blob: str = "") -> int:
        """Bytes that were sent in the bodies of these requests, whatever became of them."""
        return sum(record.body_bytes for record in self.of(*operations, blob=blob))

    async def until(self, condition: Callable[[], object], *, seconds: float = 30) -> None:
        """Return once the condition, which looks at `requests`, is true."""
        async with asyncio.timeout(seconds):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def close(self) -> None:
        """End every connection, held ones as well."""
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection."""
        connection = asyncio.ensure_future(self._serve(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not writer.is_closing() and (head := await read_head(reader)):
                record = Recorded(StorageRequest.of(head), time.monotonic())
                self.requests.append(record)
                await self._fault_for(record)(Exchange(record, reader, writer, self.upstream, self.upstream_tls))
                self._changed.set()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._changed.set()
            writer.close()

    def _fault_for(self, record: Recorded) -> Fault:
        for injection in self.injections:
            if injection.takes(record.request):
                record.fault = named(injection.fault)
                return injection.fault
        return passed_on


@asynccontextmanager
async def fault_proxy(endpoint_template: str, certificates: Certificates | None = None) -> AsyncIterator[FaultProxy]:
    """A proxy in front of the service that this template names; without faults until some are injected.

    `certificates`: the service's own, which the proxy serves too.
    """
    parts = urlsplit(endpoint_template)
    assert parts.hostname
    assert parts.port
    proxy, tls = FaultProxy((parts.hostname, parts.port)), None
    if certificates is not None:
        proxy.upstream_tls = ssl.create_default_context(cafile=certificates.ca_file)
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificates.certificate_file, certificates.key_file)
    server = await asyncio.start_server(proxy.connected, "127.0.0.1", 0, limit=2 * PIECE_BYTES, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    proxy.endpoint_template = endpoint_template.replace(parts.netloc, f"127.0.0.1:{port}")
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
