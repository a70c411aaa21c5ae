"""HttpDataSource: one object behind a URL.

Where the server serves ranges and names a version, blocks are read by range, each with the version as its condition.
Elsewhere the object is read in one pass (`http_one_pass`). What no version is known of is pinned by its bytes: see
`http_object` for the forms of the pin, and for the limits that come with each.
"""

import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from http import HTTPStatus
from typing import Final

import aiohttp

from connector_spi.data_address import DataAddress
from connector_spi.outbound_addresses import OutboundAddressPolicy
from connector_spi.vault import Vault
from data_plane.adapters.http_address import HttpDataAddress, accepted_source
from data_plane.adapters.http_calls import HttpCalls
from data_plane.adapters.http_errors import (
    HttpAnswerMalformedError,
    HttpLengthUnknownError,
    HttpPreconditionFailedError,
    HttpSourceIsListingError,
    HttpUnavailableError,
)
from data_plane.adapters.http_object import (
    DIGEST,
    ONCE,
    Told,
    condition_of,
    content_range,
    is_other_version,
    told_by,
)
from data_plane.adapters.http_one_pass import OnePass
from data_plane.domain.errors import SourceObjectChangedError
from data_plane.domain.object_copy import BLOCK_SIZES, Block, CopyMode, SourceObject
from data_plane.ports.data_source import ReadGrant, SourcePage
from data_plane.services.public_reads import LISTING_TYPE
from outbound_http.guarded_session import GuardedSession

DIGEST_MAX_BYTES: Final = BLOCK_SIZES[CopyMode.STREAMED]
"""Largest object that is pinned by its digest: it is read whole for each read, so it has to be one block."""
CALL_SECONDS: Final = 300.0

_UNSATISFIED: Final = frozenset({HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE.value})
_PIECE_BYTES: Final = 256 * 1024
_AS_IT_IS: Final = {"Accept-Encoding": "identity"}


class HttpDataSource:
    """Implements `data_plane.ports.data_source.DataSource`."""

    def __init__(self, address: HttpDataAddress, calls: HttpCalls, *, digest_max_bytes: int) -> None:
        self._address = address
        self._calls = calls
        self._digest_max_bytes = digest_max_bytes
        self._serves_ranges = True
        """Until the server has shown that it does not."""
        self._once = _once()
        self._one_pass: OnePass | None = None

    @property
    def is_single(self) -> bool:
        """An address names one object."""
        return True

    async def objects(self, after: str | None = None) -> AsyncIterator[SourcePage]:
        """The one object, as the server describes it."""
        if after is None:
            yield SourcePage([await self._described()])

    async def read(self, source: SourceObject, offset: int, length: int) -> Block:
        """The bytes: by range, from the digest's whole, or from the one pass."""
        try:
            if source.etag.startswith(DIGEST):
                return (await self._whole(source))[offset : offset + length]
            self._check_once(source, offset, length)
            if length == 0:
                async with self._opened(source):
                    return b""
            if self._serves_ranges and not source.etag.startswith(ONCE):
                by_range = await self._read_range(source, offset, length)
                if by_range is not None:
                    return by_range
            return await self._pass_over(source).read(offset, length)
        except HttpPreconditionFailedError as error:
            raise SourceObjectChangedError(error.message) from error

    async def current(self, source: SourceObject) -> SourceObject:
        """The object as the server describes it now."""
        await self.aclose()
        self._one_pass, self._once = None, _once()
        return await self._described()

    async def grant(self, source: SourceObject, *, anew: bool = False) -> ReadGrant | None:
        """None: an address with a header cannot be handed to a storage service."""
        return None

    async def aclose(self) -> None:
        """Close the one pass."""
        if self._one_pass is not None:
            await self._one_pass.aclose()

    async def _described(self) -> SourceObject:
        async with self._calls.call(
            "GET",
            self._address.url,
            headers={**_AS_IT_IS, "Range": "bytes=0-0"},
            seconds=CALL_SECONDS,
            also=_UNSATISFIED,
        ) as answer:
            told = told_by(answer.status, answer.headers)
        if told.content_type == LISTING_TYPE:
            raise HttpSourceIsListingError(resource=self._address.resource)
        size, pin = told.size, told.pin
        if size is None or (not pin and size <= self._digest_max_bytes):
            size, pin = await self._digested(told)
        self._serves_ranges = told.serves_ranges
        return SourceObject(self._address.name, size, pin or self._once, told.content_type, told.content_encoding)

    async def _digested(self, told: Told) -> tuple[int, str]:
        """Size and digest of an object that has to be small, by reading it."""
        digest, size = hashlib.sha256(), 0
        async with self._calls.call("GET", self._address.url, headers=_AS_IT_IS, seconds=CALL_SECONDS) as answer:
            while chunk := await self._received(answer, _PIECE_BYTES):
                size += len(chunk)
                digest.update(chunk)
                if size > self._digest_max_bytes:
                    raise HttpLengthUnknownError(resource=self._address.resource, limit=self._digest_max_bytes)
        if told.size is not None and told.size != size:
            raise self._unavailable(f"{size} of {told.size} bytes came")
        return size, DIGEST + digest.hexdigest()

    async def _whole(self, source: SourceObject) -> bytearray:
        buffer = bytearray()
        async with self._opened(source) as answer:
            while chunk := await self._received(answer, _PIECE_BYTES):
                buffer += chunk
                if len(buffer) > source.size:
                    break
        if source.etag != DIGEST + hashlib.sha256(buffer).hexdigest():
            raise SourceObjectChangedError(f"{self._address.resource}: the server sends other bytes than before.")
        return buffer

    def _check_once(self, source: SourceObject, offset: int, length: int) -> None:
        if source.etag.startswith(ONCE) and source.etag != self._once and (offset, length) != (0, source.size):
            raise SourceObjectChangedError(
                f"{self._address.resource}: the server names no version (ETag or Last-Modified), so a copy that was "
                "interrupted cannot be continued."
            )

    async def _read_range(self, source: SourceObject, offset: int, length: int) -> bytearray | None:
        """The bytes, or None when the server answers with the whole object."""
        wanted = {"Range": f"bytes={offset}-{offset + length - 1}"}
        headers = {**_AS_IT_IS, **condition_of(source.etag), **wanted}
        async with self._calls.call(
            "GET", self._address.url, headers=headers, seconds=CALL_SECONDS, also=_UNSATISFIED
        ) as answer:
            self._check_version(source, answer)
            if answer.status == HTTPStatus.OK:
                self._serves_ranges = False
                return None
            part = content_range(answer.headers)
            if part is None or (
                answer.status == HTTPStatus.PARTIAL_CONTENT and part[:2] != (offset, offset + length - 1)
            ):
                raise HttpAnswerMalformedError(
                    resource=self._address.resource, problem="the answer is not the range that was asked for"
                )
            if part[2] not in {None, source.size} or answer.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise SourceObjectChangedError(f"{self._address.resource}: the object has another size now.")
            return await self._filled(answer, length)

    async def _filled(self, answer: aiohttp.ClientResponse, length: int) -> bytearray:
        buffer, filled = bytearray(length), 0
        with memoryview(buffer) as view:
            while filled < length:
                chunk = await self._received(answer, length - filled)
                if not chunk:
                    raise self._unavailable(f"{filled} of {length} bytes came")
                view[filled : filled + len(chunk)] = chunk
                filled += len(chunk)
        return buffer

    @asynccontextmanager
    async def _opened(self, source: SourceObject) -> AsyncIterator[aiohttp.ClientResponse]:
        """The whole object, of its pinned version and size; may be read for as long as bytes come."""
        headers = {**_AS_IT_IS, **condition_of(source.etag)}
        async with self._calls.call("GET", self._address.url, headers=headers) as answer:
            self._check_version(source, answer)
            told = told_by(answer.status, answer.headers)
            if told.size not in {None, source.size}:
                raise SourceObjectChangedError(f"{self._address.resource}: the object has another size now.")
            yield answer

    def _pass_over(self, source: SourceObject) -> OnePass:
        if self._one_pass is None:

            def opened() -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
                return self._opened(source)

            proves_prefix = source.etag.startswith(ONCE)
            self._one_pass = OnePass(opened, resource=self._address.resource, proves_prefix=proves_prefix)
        return self._one_pass

    def _check_version(self, source: SourceObject, answer: aiohttp.ClientResponse) -> None:
        if is_other_version(source.etag, answer.headers):
            raise SourceObjectChangedError(f"{self._address.resource}: the object has another version now.")

    async def _received(self, answer: aiohttp.ClientResponse, at_most: int) -> bytes:
        return await answer.content.read(at_most)

    def _unavailable(self, problem: str) -> HttpUnavailableError:
        return HttpUnavailableError(method="GET", resource=self._address.resource, problem=problem)


class HttpDataSourceFactory:
    """Implements `data_plane.ports.data_source.DataSourceFactory` for HttpData."""

    def __init__(
        self,
        *,
        vault: Vault,
        session: GuardedSession,
        policy: OutboundAddressPolicy,
        digest_max_bytes: int = DIGEST_MAX_BYTES,
    ) -> None:
        self._vault = vault
        self._session = session
        self._policy = policy
        self._digest_max_bytes = digest_max_bytes

    def accepted(self, address: DataAddress) -> DataAddress:
        """The address in our own words; what is not understood is refused, for leaving it out could change it."""
        return accepted_source(address, self._policy)

    @asynccontextmanager
    async def open(self, address: DataAddress) -> AsyncIterator[HttpDataSource]:
        """The source; reads the credential from the vault, where the address names one."""
        place = HttpDataAddress.of_source(address)
        secret = await self._vault.resolve(place.key_name) if place.key_name else ""
        calls = HttpCalls(self._session, place.authorized(secret))
        source = HttpDataSource(place, calls, digest_max_bytes=self._digest_max_bytes)
        try:
            yield source
        finally:
            await source.aclose()


def _once() -> str:
    return f"{ONCE}{secrets.token_hex(16)}"
