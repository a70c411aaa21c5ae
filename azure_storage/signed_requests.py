"""One request on a signed URL: its time limits, and whatever fails as a leaf of the error catalogue.

A lean client on the shared aiohttp session: the SDK costs five to ten times the CPU on small blobs and reads large
ones sequentially. URLs carry their signature and are never shown. Nothing is retried here: the caller knows its
budget and its deadline.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
from yarl import URL

from azure_storage.block_body import BlockBody, Buffer
from azure_storage.error_catalogue import error_of
from azure_storage.errors import StorageRefusedError, StorageTransientError, StorageUnavailableError
from azure_storage.sas import SignedUrl
from azure_storage.sas_refusal import explained, http_date, is_about_the_signature, stated_detail
from azure_storage.session import STORAGE_API_VERSION
from connector_spi.clock import Clock, SystemClock

CALL_SECONDS: Final = 300.0
CONNECT_SECONDS: Final = 10.0
SILENCE_SECONDS: Final = 60.0
"""How long an answer may make no progress."""
_ERROR_BODY_BYTES: Final = 8 * 1024
"""As much of a refusal's body is read, to find its cause."""

Catalogue = Callable[..., StorageRefusedError | StorageTransientError]


class SignedRequests:
    """Sends requests to blobs' URLs with a SAS."""

    def __init__(
        self, session: aiohttp.ClientSession, *, clock: Clock | None = None, call_seconds: float = CALL_SECONDS
    ) -> None:
        if session.auto_decompress:
            raise ValueError("The session must not decompress: use open_storage_session().")
        self._session = session
        self._clock = clock or SystemClock()
        self._timeout = aiohttp.ClientTimeout(
            total=call_seconds, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS
        )

    @asynccontextmanager
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
        catalogue: Catalogue = error_of,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One request; the answer has the expected status, and what fails meanwhile is a leaf of the catalogue.

        `query` is added to the signature's; `operation` is its name in messages.

        Raises:
            StorageRefusedError, StorageTransientError: as `catalogue` says.
            StorageUnavailableError: there was no complete answer.
        """
        try:
            async with self._session.request(
                method,
                URL(url.secret_text(query), encoded=True),
                headers={"x-ms-version": STORAGE_API_VERSION, **headers},
                data=None if body is None else BlockBody(body),
                timeout=self._timeout,
                allow_redirects=False,
            ) as answer:
                if answer.status != expected_status:
                    error = catalogue(operation, url.resource, status=answer.status, headers=answer.headers)
                    raise await self._explained(error, url, answer)
                yield answer
        except (aiohttp.ClientError, OSError) as error:
            raise unavailable(operation, url, type(error).__name__) from None

    async def _explained(
        self, error: StorageRefusedError | StorageTransientError, url: SignedUrl, answer: aiohttp.ClientResponse
    ) -> StorageRefusedError | StorageTransientError:
        if not isinstance(error, StorageRefusedError) or not is_about_the_signature(error):
            return error
        detail = stated_detail(await _start_of_body(answer))
        theirs, ours = http_date(answer.headers.get("Date")), self._clock.now()
        return explained(error, url.token, detail, clocks=[theirs or ours, ours])


async def _start_of_body(answer: aiohttp.ClientResponse) -> str:
    """A part of the body that is enough for the cause; nothing when it does not come."""
    body = b""
    try:
        while chunk := await answer.content.read(_ERROR_BODY_BYTES - len(body)):
            body += chunk
    except (aiohttp.ClientError, OSError):
        return ""
    return body.decode("utf-8", errors="replace")


def unavailable(operation: str, url: SignedUrl, problem: str) -> StorageUnavailableError:
    """The error for an answer that did not come whole; `problem` holds nothing of the URL."""
    return StorageUnavailableError(operation=operation, resource=url.resource, problem=problem)
