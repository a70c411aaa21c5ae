"""The one session that everything which speaks to storage shares: the SDK's, and the connections of the byte path."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import aiohttp

from azure_storage.http_pool import IDLE_SECONDS, MAX_CONNECTIONS, HttpConnections

STORAGE_API_VERSION: Final = "2026-06-06"
"""The service version that is asked for: new enough for all that is used here, and known to Azurite 3.37."""


@dataclass(frozen=True, slots=True)
class StorageSession:
    """What `ObjectStorage`, `BlockBlobClient` and `BlobCopyClient` send their requests with."""

    sdk: aiohttp.ClientSession
    """For the SDK's clients: containers, policies, properties."""
    connections: HttpConnections
    """For requests on signed URLs: bytes, copies, listings."""


@asynccontextmanager
async def open_storage_session(*, tls: ssl.SSLContext | None = None) -> AsyncIterator[StorageSession]:
    """A session, closed at the end.

    Bodies are not decompressed (a gzip blob is moved as the bytes that it is) and cookies are not kept. `tls`: a
    context with a private certificate authority; by default the system's authorities are trusted. One context for
    all connections matters: building one costs more than a small blob.
    """
    tls = tls or ssl.create_default_context()
    connector = aiohttp.TCPConnector(limit=MAX_CONNECTIONS, ssl=tls, keepalive_timeout=IDLE_SECONDS)
    connections = HttpConnections(tls=tls)
    async with aiohttp.ClientSession(
        connector=connector, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
    ) as sdk:
        # By itself aiohttp sends a PUT once more when the connection breaks before the answer. What had arrived is then
        # answered 409 on what looks like its first attempt. aiohttp has no public switch for that.
        sdk._retry_connection = False  # noqa: SLF001
        try:
            yield StorageSession(sdk, connections)
        finally:
            await connections.close()
