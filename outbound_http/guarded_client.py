"""The one HTTP client for addresses that came from outside: checked, resolved once, connected to what was checked."""

import asyncio
import socket
from typing import Any, Final

import httpx

from connector_spi.errors import PeerUnavailableError
from connector_spi.outbound_addresses import OutboundAddressPolicy

RESPONSE_MAX_BYTES: Final = 1024 * 1024
CATALOG_MAX_BYTES: Final = 64 * 1024 * 1024
"""A catalog may be large; nothing larger is read."""


class ResponseTooLargeError(PeerUnavailableError):
    """An answer is larger than what is read of it."""

    code = "ResponseTooLarge"
    cause = "an answer from outside is larger than what is read of it"
    remedy = (
        "It is tried again. When it lasts, the address is not what it should be, or the counterparty's catalog needs "
        "smaller pages (`--limit`)."
    )


class GuardedTransport(httpx.AsyncBaseTransport):
    """Checks each request's address against the policy and connects to a resolved address that passed."""

    def __init__(self, policy: OutboundAddressPolicy) -> None:
        self._policy = policy
        # A pool knows connections by address, so a kept one would serve another name at the same address without that
        # name's certificate having been checked: none is kept.
        self._inner = httpx.AsyncHTTPTransport(retries=0, limits=httpx.Limits(max_keepalive_connections=0))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request.

        Raises:
            ForbiddenAddressError: the policy does not allow the address.
            httpx.TransportError: it could not be reached.
        """
        host, port = self._policy.check_url(str(request.url))
        addresses = await _resolved(host, port, request)
        self._policy.check_resolved(host, addresses)
        # The certificate and the Host header stay those of the name; only the connection goes to the address.
        request.extensions = {**request.extensions, "sni_hostname": host}
        failure = httpx.ConnectError(f"The host {host!r} has no address.", request=request)
        for address in addresses:
            request.url = request.url.copy_with(host=address)
            try:
                return await self._inner.handle_async_request(request)
            except httpx.ConnectError as error:
                failure = error
        raise failure

    async def aclose(self) -> None:
        """Close every connection."""
        await self._inner.aclose()


def guarded_client(policy: OutboundAddressPolicy, *, call_seconds: float) -> httpx.AsyncClient:
    """A client that follows no redirect, reads no proxy from the environment and gives up after `call_seconds`."""
    return httpx.AsyncClient(
        transport=GuardedTransport(policy),
        timeout=call_seconds,
        follow_redirects=False,
        trust_env=False,
        headers={"Accept": "application/json", "User-Agent": "dataspace-connector"},
    )


async def read_limited(response: httpx.Response, *, max_bytes: int = RESPONSE_MAX_BYTES) -> bytes:
    """The body, as far as the limit allows.

    Raises:
        ResponseTooLargeError: it is larger than `max_bytes`.
        PeerUnavailableError: it broke off.
    """
    body = bytearray()
    try:
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > max_bytes:
                raise ResponseTooLargeError("The counterparty's answer is larger than this connector reads.")
    except httpx.RequestError as error:
        raise PeerUnavailableError("The counterparty's answer broke off, or cannot be decoded.") from error
    return bytes(body)


async def _resolved(host: str, port: int, request: httpx.Request) -> list[str]:
    loop = asyncio.get_running_loop()
    try:
        found: list[Any] = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise httpx.ConnectError(f"The host {host!r} cannot be resolved.", request=request) from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
