"""The one HTTP session that everything which speaks to storage shares."""

import ssl
from typing import Final

import aiohttp

STORAGE_API_VERSION: Final = "2026-06-06"
"""The service version that is asked for: new enough for all that is used here, and known to Azurite 3.37."""

_READ_BUFFER_BYTES: Final = 256 * 1024
_MAX_CONNECTIONS: Final = 256
_IDLE_SECONDS: Final = 4
"""Shorter than Azurite keeps an idle connection (5), so that none is used at the moment when it is closed."""


def open_storage_session(*, tls: ssl.SSLContext | None = None) -> aiohttp.ClientSession:
    """A session for `ObjectStorage` and `BlockBlobClient`; the caller closes it. Needs a running event loop.

    Bodies are not decompressed (a gzip blob is moved as the bytes that it is) and cookies are not kept. `tls`: a
    context with a private certificate authority; by default the system's authorities are trusted. One context for
    all connections matters: building one costs more than a small blob.
    """
    connector = aiohttp.TCPConnector(
        limit=_MAX_CONNECTIONS, ssl=tls if tls is not None else True, keepalive_timeout=_IDLE_SECONDS
    )
    session = aiohttp.ClientSession(
        connector=connector,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        read_bufsize=_READ_BUFFER_BYTES,
    )
    # By itself aiohttp sends a PUT once more when the connection breaks before the answer. A commit that had arrived is
    # then answered 409 on what looks like its first attempt. aiohttp has no public switch for that.
    session._retry_connection = False  # noqa: SLF001
    return session
