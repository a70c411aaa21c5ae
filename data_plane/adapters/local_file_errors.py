"""What the file system's answer means for a flow. Texts name the path below the configured root, never the root."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from connector_spi.errors import ConflictError, PermanentError, TransientError
from data_plane.domain.inbox_errors import DestinationFullError


class LocalFileNotFoundError(PermanentError):
    """There is no such file or folder."""

    code = "LocalFileNotFound"
    cause = "there is no such file or folder below the root"
    remedy = (
        "Compare the path of the address with what lies below `data_plane.local_file_root`; upper and lower case count."
    )


class LocalFileExistsError(ConflictError):
    """A file of this name is there, and none is overwritten."""

    code = "LocalFileExists"
    cause = "a file of this name is there, and nothing is overwritten"
    remedy = "Name another folder or file, or move the old one away."


class LocalFileRefusedError(PermanentError):
    """The path leads through a link, is no regular file, or may not be used."""

    code = "LocalFileRefused"
    cause = "the path leads through a link, is no regular file, or this user may not use it"
    remedy = "Put a real file or folder in the link's place, and check rights and owner: links are never followed."


class LocalFileSystemError(PermanentError):
    """The file system cannot do it."""

    code = "LocalFileSystem"
    cause = "the file system cannot do what publishing needs, such as hard links"
    remedy = "Put `data_plane.local_file_root` on a local file system with hard links (ext4, XFS, APFS)."


class DiskFullError(DestinationFullError):
    """No room is left. Transient: what is staged stays, and the copy goes on once somebody has made room.

    A disk that stays full ends the flow by its no-progress limit, with this text as the reason.
    """

    code = "DiskFull"
    cause = "no room is left on the disk below `data_plane.local_file_root`, or a quota is used up"
    remedy = (
        "Make room: what is staged stays, and the copy goes on by itself until `data_plane.no_progress_seconds` have "
        "passed without a byte."
    )


_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_REFUSED: Final = frozenset({errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.ENXIO})
_NO_LINKS: Final = frozenset({errno.EXDEV, errno.EMLINK, errno.EOPNOTSUPP})


@contextmanager
def local_errors(path: str) -> Iterator[None]:
    """Translate what the operating system says of this path."""
    try:
        yield
    except OSError as error:
        raise _leaf(error.errno or 0, path) from error


def _leaf(number: int, path: str) -> PermanentError | TransientError:
    why = errno.errorcode.get(number, "unknown error")
    if number in _FULL:
        return DiskFullError(f"{path}: the disk is full ({why}). It goes on when there is room.")
    if number == errno.ENOENT:
        return LocalFileNotFoundError(f"{path}: there is no such file or folder.")
    if number == errno.EEXIST:
        return LocalFileExistsError(f"{path}: a file of this name exists already, and nothing is overwritten.")
    if number in _REFUSED:
        return LocalFileRefusedError(
            f"{path}: it is a link or no regular file, leads through one, or may not be used ({why})."
        )
    if number in _NO_LINKS:
        return LocalFileSystemError(f"{path}: the file system has no hard links here, which publishing needs ({why}).")
    return LocalFileSystemError(f"{path}: the file system answered {why}.")
