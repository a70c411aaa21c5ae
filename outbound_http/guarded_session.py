"""The byte path to addresses that came from outside: an aiohttp session that goes only where the policy allows.

`guarded_client` is for small messages; this is for bodies that are streamed. Every name is resolved once, every
address that it resolved to is checked, and the connection goes to one that was checked. Connections are kept by host
name, so one is never used for another name.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from connector_spi.errors import ForbiddenAddressError
from connector_spi.outbound_addresses import OutboundAddressPolicy

CONNECT_SECONDS: Final = 10.0
SILENCE_SECONDS: Final = 60.0
"""How long an answer may make no progress."""

_READ_BUFFER_BYTES: Final = 256 * 1024
_MAX_CONNECTIONS: Final = 128


class GuardedSession:
    """Requests to checked addresses: no redirect is followed, no cookie kept, no proxy of the environment used."""

    def __init__(self, session: aiohttp.ClientSession, policy: OutboundAddressPolicy) -> None:
        self._session = session
        self._policy = policy

    @asynccontextmanager
    async def request(
        self, method: str, url: URL, *, headers: Mapping[str, str], data: Any = None, seconds: float | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One request; `url` as it goes on the wire, `seconds`: the limit of the whole call.

        A body is sent once only. An answer whose body was not read ends its connection.

        Raises:
            ForbiddenAddressError: the policy does not allow the address; nothing was sent.
            aiohttp.ClientError, TimeoutError: the call failed.
        """
        self._check(url)
        timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS)
        async with self._session.request(
            method, url, headers=headers, data=data, timeout=timeout, allow_redirects=False
        ) as answer:
            yield answer

    def _check(self, url: URL) -> None:
        host, _ = self._policy.check_url(str(url))
        if host != url.raw_host:
            raise ForbiddenAddressError("The host of the address can be read in two ways.")
        if _is_literal(host):  # the session connects to those without asking its resolver
            self._policy.check_resolved(host, [host])


@asynccontextmanager
async def open_guarded_session(
    policy: OutboundAddressPolicy, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[GuardedSession]:
    """A session for as long as the context lasts; `tls`: a context with a private certificate authority."""
    connector = aiohttp.TCPConnector(
        resolver=_CheckingResolver(policy), limit=_MAX_CONNECTIONS, ssl=tls if tls is not None else True
    )
    async with aiohttp.ClientSession(
        connector=connector,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        read_bufsize=_READ_BUFFER_BYTES,
        trust_env=False,
        headers={"User-Agent": "dataspace-connector"},
    ) as session:
        # By itself aiohttp sends a request once more when a kept connection breaks before the answer.
        session._retry_connection = False  # noqa: SLF001 - there is no public switch
        yield GuardedSession(session, policy)
    # What the session has closed is closed in the loop's next turn; a loop that ends before leaves the sockets open.
    await asyncio.sleep(0)


class _CheckingResolver(AbstractResolver):
    """The system's resolver, whose whole answer has to pass the policy."""

    def __init__(self, policy: OutboundAddressPolicy) -> None:
        self._policy = policy

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The checked addresses."""
        try:
            found: list[Any] = await asyncio.get_running_loop().getaddrinfo(
                host, port, type=socket.SOCK_STREAM, family=family
            )
        except UnicodeError as error:
            raise OSError(f"The host {host!r} cannot be resolved.") from error
        self._policy.check_resolved(host, [str(entry[4][0]) for entry in found])
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=kind,
                proto=proto,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, proto, _, address in found
        ]

    async def close(self) -> None:
        """Nothing is held."""


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
