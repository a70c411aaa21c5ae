"""Staged files of one flow: a hidden folder at the transfer's own place, one file for each attempt at an object.

A staged file holds the object's bytes and, behind them, one mark for each block that is there: a restart finds out
from the file itself whether it is whole. Publishing cuts the marks off and links the file to its final name, which
fails when the name is taken. The staged name stays until the end of the flow: a name that leads to the same file is
ours, whatever became of the answer to the link. Everything here blocks.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from data_plane.adapters.local_file_errors import LocalFileExistsError
from data_plane.adapters.local_file_root import FileRoot, Parts, opened_file, opened_folder
from data_plane.domain.errors import StagedBlocksLostError
from data_plane.domain.object_copy import Block, ObjectCopy

STAGING_PREFIX: Final = ".staging-"
_MARK: Final = b"\x01"

BlockSize = Callable[[int], int]
"""Bytes per block of an object of this size."""


class StagedFiles:
    """The staged files of a flow that writes into the folder `place` below the root."""

    def __init__(self, root: FileRoot, place: Parts, *, flow_id: str, block_size: BlockSize) -> None:
        self._root = root
        self._place = tuple(place)
        self._folder = STAGING_PREFIX + hashlib.sha256(flow_id.encode()).hexdigest()[:16]
        self._block_size = block_size

    def write_block(self, copy: ObjectCopy, index: int, data: Block) -> None:
        """Write the block to its place and mark it, durably.

        Raises:
            StagedBlocksLostError: the file is published already, or the block does not fit into the object.
            OSError: the file system refused.
        """
        offset = index * self._block_size(copy.source.size)
        if offset + len(data) > copy.source.size:
            raise StagedBlocksLostError(f"{copy.destination_name}: block {index} does not fit into the object.")
        with self._staging(create=True) as folder, _staged(folder, copy, os.O_RDWR | os.O_CREAT) as file:
            if os.fstat(file).st_nlink != 1:
                raise StagedBlocksLostError(f"{copy.destination_name}: this attempt was published already.")
            _write_all(file, data, offset)
            _write_all(file, _MARK, copy.source.size + index)
            os.fdatasync(file)

    def write_whole(self, copy: ObjectCopy, data: Block) -> None:
        """Write the object in one go, unless this very file is published already."""
        with self._staging(create=True) as folder:
            if self._leads_to_ours(folder, copy):
                return
            with suppress(FileNotFoundError):
                os.unlink(_name_of(copy), dir_fd=folder)
            with _staged(folder, copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as file:
                _write_all(file, data, 0)
                os.fsync(file)

    def seal(self, copy: ObjectCopy) -> None:
        """Cut the marks off a file that has all its blocks; a file that is sealed already stays.

        Raises:
            StagedBlocksLostError: a block is missing.
        """
        size, count = copy.source.size, copy.block_count
        try:
            with self._staging() as folder, _staged(folder, copy, os.O_RDWR) as file:
                if os.fstat(file).st_size == size:
                    return
                if os.pread(file, count + 1, size) != _MARK * count:
                    raise StagedBlocksLostError(f"{copy.destination_name}: not every block is there.")
                os.ftruncate(file, size)
                os.fsync(file)
        except FileNotFoundError as error:
            raise StagedBlocksLostError(f"{copy.destination_name}: nothing is staged.") from error

    def publish(self, copy: ObjectCopy) -> None:
        """Give the file its final name, durably; does nothing when it has it.

        Raises:
            LocalFileExistsError: another file has the name.
            OSError: the file system refused.
        """
        *folders, name = copy.destination_name.split("/")
        with self._staging() as staging, self._root.folder((*self._place, *folders), create=True) as target:
            if self._leads_to_ours(staging, copy):
                return
            try:
                os.link(_name_of(copy), name, src_dir_fd=staging, dst_dir_fd=target, follow_symlinks=False)
            except FileExistsError as error:
                raise LocalFileExistsError(
                    f"{copy.destination_name}: a file of this name exists already, and nothing is overwritten."
                ) from error
            os.fsync(target)

    def is_taken(self, name: str) -> bool:
        """Whether something has the name already."""
        *folders, last = name.split("/")
        try:
            with self._root.folder((*self._place, *folders)) as folder:
                os.stat(last, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def replace(self, name: str, content: bytes) -> None:
        """Write a file of the transfer's own, over an older one: readers see the one or the other."""
        *folders, last = name.split("/")
        temporary = f"marker-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
        with self._staging(create=True) as staging, self._root.folder((*self._place, *folders), create=True) as target:
            with opened_file(staging, temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as file:
                _write_all(file, content, 0)
                os.fsync(file)
            os.rename(temporary, last, src_dir_fd=staging, dst_dir_fd=target)
            os.fsync(target)

    def remove(self) -> None:
        """Remove what is staged, of every attempt; what is published stays."""
        with suppress(FileNotFoundError), self._root.folder(self._place) as place:
            with opened_folder(place, self._folder) as staging:
                for name in os.listdir(staging):  # noqa: PTH208 - pathlib knows no folder descriptors
                    os.unlink(name, dir_fd=staging)
            os.rmdir(self._folder, dir_fd=place)

    def _leads_to_ours(self, staging: int, copy: ObjectCopy) -> bool:
        *folders, name = copy.destination_name.split("/")
        try:
            ours = os.stat(_name_of(copy), dir_fd=staging, follow_symlinks=False)
            with self._root.folder((*self._place, *folders)) as folder:
                there = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return os.path.samestat(ours, there)

    @contextmanager
    def _staging(self, *, create: bool = False) -> Iterator[int]:
        with self._root.folder((*self._place, self._folder), create=create) as folder:
            yield folder


@contextmanager
def _staged(folder: int, copy: ObjectCopy, flags: int) -> Iterator[int]:
    with opened_file(folder, _name_of(copy), flags) as file:
        yield file


def _name_of(copy: ObjectCopy) -> str:
    return f"{copy.sequence}-{copy.block_nonce or 'whole'}.part"


def _write_all(file: int, data: Block, offset: int) -> None:
    view, written = memoryview(data), 0
    while written < len(view):
        written += os.pwrite(file, view[written:], offset + written)
