"""One request on a signed URL: its time limits, and whatever fails as a leaf of the error catalogue.

On connections of our own: the SDK costs ten times the CPU on small blobs and reads large ones sequentially. URLs carry
their signature and are never shown. Nothing is retried here: the caller knows its budget and its deadline.
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from azure_storage.error_catalogue import error_of
from azure_storage.errors import StorageRefusedError, StorageTransientError, StorageUnavailableError
from azure_storage.http_head import HttpError
from azure_storage.http_messages import Answer, Request
from azure_storage.http_pool import Origin
from azure_storage.sas import SignedUrl
from azure_storage.sas_refusal import explained, http_date, is_about_the_signature, stated_detail
from azure_storage.session import STORAGE_API_VERSION, StorageSession
from connector_spi.clock import Clock, SystemClock

CALL_SECONDS: Final = 300.0
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_STANDING_HEADERS: Final = {"User-Agent": "dataspace-connector", "x-ms-version": STORAGE_API_VERSION}

Buffer = bytes | bytearray | memoryview
Catalogue = Callable[..., StorageRefusedError | StorageTransientError]


class SignedRequests:
    """Sends requests to blobs' URLs with a SAS."""

    def __init__(
        self, session: StorageSession, *, clock: Clock | None = None, call_seconds: float = CALL_SECONDS
    ) -> None:
        self._connections = session.connections
        self._clock = clock or SystemClock()
        self._call_seconds = call_seconds

    async def send(
        self,
        method: str,
        url: SignedUrl,
        operation: str,
        expected_status: int,
        *,
        headers: Mapping[str, str],
        query: str = "",
        body: Buffer | None = None,
        into: bytearray | None = None,
        catalogue: Catalogue = error_of,
    ) -> Answer:
        """The whole answer, which has the expected status.

        `query` is added to the signature's; `operation` is its name in messages. The answer's body fills `into`
        exactly, if that is given. It must not be resized, nor `body` changed, until this returns.

        Raises:
            StorageRefusedError, StorageTransientError: as `catalogue` says.
            StorageUnavailableError: there was no complete answer.
            InvalidInputError: a header cannot be sent.
        """
        origin, host, target = _parts(url.secret_text(query))
        request = Request(
            method=method,
            target=target,
            host=host,
            headers={**_STANDING_HEADERS, **headers},
            body=None if body is None else memoryview(body).cast("B"),
            expected_status=expected_status,
            into=None if into is None else memoryview(into),
        )
        try:
            async with asyncio.timeout(self._call_seconds):
                answer = await self._connections.request(origin, request)
        except HttpError as error:
            raise unavailable(operation, url, error.message) from None
        except OSError as error:
            raise unavailable(operation, url, type(error).__name__) from None
        if answer.status != expected_status:
            raise self._explained(
                catalogue(operation, url.resource, status=answer.status, headers=answer.headers), url, answer
            )
        return answer

    def _explained(
        self, error: StorageRefusedError | StorageTransientError, url: SignedUrl, answer: Answer
    ) -> StorageRefusedError | StorageTransientError:
        if not isinstance(error, StorageRefusedError) or not is_about_the_signature(error):
            return error
        detail = stated_detail(answer.body.decode("utf-8", errors="replace"))
        theirs, ours = http_date(answer.headers.get("Date")), self._clock.now()
        return explained(error, url.token, detail, clocks=[theirs or ours, ours])


def unavailable(operation: str, url: SignedUrl, problem: str) -> StorageUnavailableError:
    """The error for an answer that did not come whole; `problem` holds nothing of the URL."""
    return StorageUnavailableError(operation=operation, resource=url.resource, problem=problem)


def _parts(secret_text: str) -> tuple[Origin, str, str]:
    """Whom to connect to, the `Host` header and the request target."""
    scheme, _, rest = secret_text.partition("://")
    authority, slash, path = rest.partition("/")
    return *_origin(scheme, authority), slash + path


@lru_cache(maxsize=256)
def _origin(scheme: str, authority: str) -> tuple[Origin, str]:
    """Whom to connect to, and the `Host` header; the port that the scheme has anyway is not named there."""
    parts = urlsplit(f"{scheme}://{authority}")
    default = _DEFAULT_PORTS.get(parts.scheme)
    if default is None or not parts.hostname or parts.username is not None or parts.query or parts.fragment:
        raise ValueError("A storage endpoint is http:// or https:// with a host.")
    port = default if parts.port is None else parts.port
    host = parts.netloc.rpartition(":")[0] if parts.port == default else parts.netloc
    return Origin(parts.scheme == "https", parts.hostname, port), host
