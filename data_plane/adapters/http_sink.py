"""HttpDataSink: sends each object in one PUT or POST.

An object is one request, so its blocks go in order and are gone with the connection: after any break in the middle
the object is sent again from its first byte. HTTP has no place for evidence, so no marker is left; the receiver knows
from its own control plane that the flow has ended. An object that is there already is replaced, unless the address
says `overwrite=false`: then each request carries `If-None-Match: *`, which the server has to heed. Metadata and tags
have no place here; type and encoding of the content do.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from yarl import URL

from azure_storage.object_names import check_object_name
from connector_spi.data_address import KEY_NAME, DataAddress
from connector_spi.errors import InvalidInputError, TransientError
from connector_spi.outbound_addresses import OutboundAddressPolicy
from connector_spi.vault import Vault
from data_plane.adapters.http_address import HttpDataAddress, accepted_destination
from data_plane.adapters.http_calls import HttpCalls
from data_plane.adapters.http_errors import (
    HttpObjectExistsError,
    HttpPreconditionFailedError,
    HttpRefusedError,
)
from data_plane.adapters.http_upload import Upload, pieces
from data_plane.domain.data_flow import DataFlow, DataFlowFailure
from data_plane.domain.errors import CopyUnavailableError, StagedBlocksLostError
from data_plane.domain.object_copy import Block, ObjectCopy, SourceObject
from data_plane.ports.data_sink import SinkTraits, Staging
from data_plane.ports.data_source import ReadGrant
from data_plane.services.credential_intake import vault_alias
from outbound_http.guarded_session import GuardedSession

_TRAITS: Final = SinkTraits(staging=Staging.IN_ORDER)
_LOOK_SECONDS: Final = 60.0


class HttpDataSink:
    """Implements `data_plane.ports.data_sink.DataSink`."""

    def __init__(self, address: HttpDataAddress, calls: HttpCalls) -> None:
        self._address = address
        self._calls = calls
        self._uploads: dict[int, Upload] = {}
        """By sequence of the object."""
        self._unknown: set[int] = set()
        """Objects of which a request was sent whole and not answered."""

    @property
    def traits(self) -> SinkTraits:
        """Blocks go in order."""
        return _TRAITS

    async def check_free(self, copy: ObjectCopy) -> None:
        """Ask for the object where none may be overwritten; a server that does not say is no reason to stop."""
        if self._address.may_overwrite:
            return
        url = self._url(copy)
        try:
            async with self._calls.call("HEAD", url, headers={}, seconds=_LOOK_SECONDS):
                pass
        except HttpRefusedError:
            return
        raise HttpObjectExistsError(resource=_shown(url))

    async def put_whole(self, copy: ObjectCopy, data: Block, *, again: bool) -> None:
        """Publish in one request."""
        try:
            await self._sent(copy, pieces(data))
        except HttpPreconditionFailedError:
            self._check_ours(copy, again=again)
        except TransientError:
            self._unknown.add(copy.sequence)
            raise

    async def stage_block(self, copy: ObjectCopy, index: int, data: Block) -> None:
        """Feed the open request; the first block opens it."""
        if index == 0:
            await self._drop(copy)
            self._uploads[copy.sequence] = self._begun(copy)
        upload = self._uploads.get(copy.sequence)
        if upload is None or (upload.nonce, upload.next_index) != (copy.block_nonce, index):
            raise StagedBlocksLostError(f"{copy.destination_name}: its request is not open (any more).")
        try:
            await upload.feed(data)
        except BaseException as error:
            await self._drop(copy)
            if isinstance(error, TransientError) and index > 0:
                raise StagedBlocksLostError(error.message, retry_after_seconds=error.retry_after_seconds) from error
            if isinstance(error, HttpPreconditionFailedError):
                raise HttpObjectExistsError(resource=_shown(self._url(copy))) from error
            raise

    async def copy_whole(self, copy: ObjectCopy, grant: ReadGrant, *, again: bool) -> int | None:
        """Never possible."""
        raise CopyUnavailableError("An HTTP server does not fetch objects by itself.")

    async def copy_block(self, copy: ObjectCopy, index: int, grant: ReadGrant, offset: int, length: int) -> int | None:
        """Never possible."""
        raise CopyUnavailableError("An HTTP server does not fetch objects by itself.")

    async def commit(self, copy: ObjectCopy, *, again: bool) -> None:
        """Send the last byte and read the answer."""
        if copy.block_count == 0:
            await self.put_whole(copy, b"", again=again)
            return
        upload = self._uploads.get(copy.sequence)
        is_there = upload is not None and (upload.nonce, upload.next_index) == (copy.block_nonce, copy.block_count)
        if upload is None or not is_there or not upload.is_whole:
            await self._drop(copy)
            raise StagedBlocksLostError(f"{copy.destination_name}: its request is not open (any more).")
        try:
            await upload.finish()
        except HttpPreconditionFailedError:
            self._check_ours(copy, again=again)
        except TransientError as error:
            self._unknown.add(copy.sequence)
            raise StagedBlocksLostError(error.message, retry_after_seconds=error.retry_after_seconds) from error
        finally:
            await self._drop(copy)

    async def mark_complete(self, published: AsyncIterator[ObjectCopy], *, again: bool) -> None:
        """Nothing: HTTP has no place for evidence."""

    async def mark_failed(self, failure: DataFlowFailure) -> None:
        """Nothing: HTTP has no place for evidence."""

    async def aclose(self) -> None:
        """Close the open requests."""
        for upload in self._uploads.values():
            await upload.abort()
        self._uploads.clear()

    def _begun(self, copy: ObjectCopy) -> Upload:
        async def send(body: AsyncIterator[memoryview]) -> None:
            await self._sent(copy, body)

        return Upload(send, nonce=copy.block_nonce, size=copy.source.size)

    async def _sent(self, copy: ObjectCopy, body: AsyncIterator[memoryview]) -> None:
        headers = {"Content-Length": str(copy.source.size), "Content-Type": self._content_type(copy.source)}
        if copy.source.content_encoding:
            headers["Content-Encoding"] = copy.source.content_encoding
        if not self._address.may_overwrite:
            headers["If-None-Match"] = "*"
        async with self._calls.call(self._address.method, self._url(copy), headers=headers, data=body):
            pass

    def _check_ours(self, copy: ObjectCopy, *, again: bool) -> None:
        """One that is there after a request of unknown outcome counts as ours, as the port says."""
        if not again and copy.sequence not in self._unknown:
            raise HttpObjectExistsError(resource=_shown(self._url(copy)))

    def _content_type(self, source: SourceObject) -> str:
        return self._address.content_type or source.content_type

    def _url(self, copy: ObjectCopy) -> URL:
        return self._address.url_of(copy.destination_name)

    async def _drop(self, copy: ObjectCopy) -> None:
        upload = self._uploads.pop(copy.sequence, None)
        if upload is not None:
            await upload.abort()


class HttpDataSinkFactory:
    """Implements `data_plane.ports.data_sink.DataSinkFactory` for HttpData."""

    def __init__(self, *, vault: Vault, session: GuardedSession, policy: OutboundAddressPolicy) -> None:
        self._vault = vault
        self._session = session
        self._policy = policy

    def accepted(self, address: DataAddress) -> DataAddress:
        """The address in our own words; what is not understood is refused, for leaving it out could change it."""
        return accepted_destination(address, self._policy)

    def destination_name(self, flow: DataFlow, source: SourceObject, *, single: bool) -> str:
        """The wished name of a single object, else the source's own full name."""
        place = HttpDataAddress.of_destination(flow.destination)
        if not single and not place.is_folder:
            raise InvalidInputError(
                field="baseUrl",
                value=place.resource,
                problem="names one object, and the source has several",
                remedy="End the address with a slash; the names of the objects are then added to it.",
            )
        name = flow.destination.get("name") if single and flow.destination.get("name") else source.name
        for text in (source.content_type, source.content_encoding or ""):
            if not (text.isascii() and text.isprintable()):
                raise InvalidInputError(field="contentType", value=text, problem="is not printable ASCII")
        return check_object_name(name, field="name")

    @asynccontextmanager
    async def open(self, flow: DataFlow) -> AsyncIterator[HttpDataSink]:
        """The sink; reads the credential from the vault, where the address names one."""
        place = HttpDataAddress.of_destination(flow.destination)
        secret = await self._secret(_own_alias(flow, place.key_name)) if place.key_name else ""
        sink = HttpDataSink(place, HttpCalls(self._session, place.authorized(secret)))
        try:
            yield sink
        finally:
            await sink.aclose()

    async def _secret(self, alias: str) -> str:
        """What the vault holds now: a resume may have brought another one under the same alias."""
        self._vault.forget(alias)
        return await self._vault.resolve(alias)


def _own_alias(flow: DataFlow, alias: str) -> str:
    """The counterparty chose the address that the secret is sent to, so no secret but this flow's own may go there."""
    own = {vault_alias(flow.id, "destination"), vault_alias(flow.id, "destination-authorization")}
    own |= {f"transfer-process-{flow.id}-data-address"}
    if alias not in own:
        raise InvalidInputError(
            field=KEY_NAME,
            value=alias,
            problem="is not the alias of this flow's own secret",
            remedy="Send the credential of an HTTP destination as `secret`.",
        )
    return alias


def _shown(url: URL) -> str:
    return str(url.with_query(None))
