"""LocalFileDataSink: publishes files into a folder below the configured root, whole or not at all.

A file has room for its bytes and its name only: type, encoding, metadata and tags of the source are not kept, but for
what the manifest says.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from azure_storage.object_names import check_object_name
from connector_spi.data_address import DataAddress
from connector_spi.errors import InvalidInputError
from data_plane.adapters.local_file_errors import LocalFileExistsError, local_errors
from data_plane.adapters.local_file_root import PATH, FileRoot, FileThreads, path_parts
from data_plane.adapters.local_file_staging import STAGING_PREFIX, BlockSize, StagedFiles
from data_plane.adapters.marker_writer import write_complete, write_failed
from data_plane.adapters.receipt_signer import ReceiptSigner
from data_plane.domain.data_flow import DataFlow, DataFlowFailure
from data_plane.domain.errors import CopyUnavailableError
from data_plane.domain.object_copy import Block, ObjectCopy, SourceObject, block_size_for
from data_plane.ports.data_sink import SinkTraits
from data_plane.ports.data_source import ReadGrant

T = TypeVar("T")

NAME: Final = "name"
"""Property: the wished name of a single object."""
_LONGEST_PART: Final = 255
"""Bytes that a file system takes between two slashes."""
_TRAITS: Final = SinkTraits()


class LocalFileDataSink:
    """Implements `data_plane.ports.data_sink.DataSink`."""

    def __init__(
        self, flow: DataFlow, files: StagedFiles, threads: FileThreads, *, signer: ReceiptSigner | None = None
    ) -> None:
        self._flow = flow
        self._files = files
        self._threads = threads
        self._signer = signer

    @property
    def traits(self) -> SinkTraits:
        """Blocks are kept."""
        return _TRAITS

    async def check_free(self, copy: ObjectCopy) -> None:
        """Look whether something has the name."""
        name = copy.destination_name
        if await self._at(name, lambda: self._files.is_taken(name)):
            raise LocalFileExistsError(f"{name}: a file of this name exists already, and nothing is overwritten.")

    async def put_whole(self, copy: ObjectCopy, data: Block, *, again: bool) -> None:
        """Write beside, then give it its name. A file of ours is known by its inode, so `again` changes nothing."""

        def put() -> None:
            self._files.write_whole(copy, data)
            self._files.publish(copy)

        await self._at(copy.destination_name, put)

    async def stage_block(self, copy: ObjectCopy, index: int, data: Block) -> None:
        """Write the block to its place in the staged file."""
        await self._at(copy.destination_name, lambda: self._files.write_block(copy, index, data))

    async def copy_whole(self, copy: ObjectCopy, grant: ReadGrant, *, again: bool) -> int | None:
        """Never possible."""
        raise CopyUnavailableError("A disk does not fetch objects by itself.")

    async def copy_block(self, copy: ObjectCopy, index: int, grant: ReadGrant, offset: int, length: int) -> int | None:
        """Never possible."""
        raise CopyUnavailableError("A disk does not fetch objects by itself.")

    async def commit(self, copy: ObjectCopy, *, again: bool) -> None:
        """Give the staged file its name. A file of ours is known by its inode, so `again` changes nothing."""
        if copy.block_count == 0:
            await self.put_whole(copy, b"", again=again)
            return

        def commit() -> None:
            self._files.seal(copy)
            self._files.publish(copy)

        await self._at(copy.destination_name, commit)

    async def mark_complete(self, published: AsyncIterator[ObjectCopy], *, again: bool) -> None:
        """Write the manifest pages, then `.complete`, and remove what is staged."""
        await write_complete(self._flow, published, self._write, signer=self._signer)
        await self._at(self._flow.id, self._files.remove)

    async def mark_failed(self, failure: DataFlowFailure) -> None:
        """Write `.failed`, and remove what is staged."""
        await write_failed(self._flow, failure, self._write, signer=self._signer)
        await self._at(self._flow.id, self._files.remove)

    async def _write(self, name: str, content: bytes, _content_type: str) -> None:
        await self._at(name, lambda: self._files.replace(name, content))

    async def _at(self, name: str, work: Callable[[], T]) -> T:
        with local_errors(name):
            return await self._threads(work)


class LocalFileDataSinkFactory:
    """Implements `data_plane.ports.data_sink.DataSinkFactory` for LocalFile."""

    def __init__(
        self,
        root: FileRoot,
        threads: FileThreads,
        *,
        block_size: BlockSize = block_size_for,
        signer: ReceiptSigner | None = None,
    ) -> None:
        self._root = root
        self._threads = threads
        self._block_size = block_size
        self._signer = signer

    def accepted(self, address: DataAddress) -> DataAddress:
        """The address with its path, and the wished name, alone."""
        path_parts(address)
        kept = {name: address.get(name) for name in (PATH, NAME) if address.get(name)}
        return DataAddress(address.type, kept)

    def destination_name(self, flow: DataFlow, source: SourceObject, *, single: bool) -> str:
        """The wished name of a single object, else the source's own full name."""
        name = (flow.destination.get(NAME) if single else "") or source.name
        check_object_name(name, field=NAME)
        parts = name.split("/")
        if parts[0].startswith(STAGING_PREFIX) or any(len(part.encode()) > _LONGEST_PART for part in parts):
            raise InvalidInputError(
                field=NAME,
                value=name,
                problem=f"starts with {STAGING_PREFIX}, or has a part of more than {_LONGEST_PART} bytes",
                remedy="Rename the object.",
            )
        return name

    @asynccontextmanager
    async def open(self, flow: DataFlow) -> AsyncIterator[LocalFileDataSink]:
        """The sink; there is no credential."""
        place = path_parts(flow.destination)
        files = StagedFiles(self._root, place, flow_id=flow.id, block_size=self._block_size)
        yield LocalFileDataSink(flow, files, self._threads, signer=self._signer)
