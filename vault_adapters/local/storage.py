"""A file that several processes of one machine read whole and replace whole; it is never half written.

Writers take turns by a lock on a second file beside it (the file itself changes identity with every write);
the operating system releases the lock when its holder dies. Readers need no lock: a rename shows them the old
content or the new. The lock is `flock`, so the folder must be on a local disk.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from connector_spi.errors import VaultForbiddenError, VaultUnavailableError

_LOCK_POLL_SECONDS: Final = 0.002


class SharedFile:
    """The file at `path`. All methods block: call them outside the event loop."""

    def __init__(self, path: Path, *, lock_timeout_seconds: float) -> None:
        self.path = path
        self._lock_timeout_seconds = lock_timeout_seconds

    def exists(self) -> bool:
        """Whether the file is there.

        Raises:
            VaultForbiddenError: this user may not look.
        """
        with _translated("read"):
            return self.path.exists()

    def make_folder(self) -> None:
        """Make the file's folder, for this user alone, if it is missing.

        Raises:
            VaultForbiddenError, VaultUnavailableError: it cannot be made.
        """
        with _translated("create"):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)

    def read(self) -> bytes:
        """The present content.

        Raises:
            VaultUnavailableError: the file is gone or cannot be read now.
            VaultForbiddenError: this user may not read it.
        """
        with _translated("read"):
            return self.path.read_bytes()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other writer out, of this process and of others.

        Raises:
            VaultUnavailableError: another writer did not let go in time.
            VaultForbiddenError: this user may not write here.
        """
        with _translated("lock"):
            descriptor = os.open(self.path.with_name(self.path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            with _translated("lock"):
                self._wait_for_lock(descriptor)
            yield
        finally:
            os.close(descriptor)

    def replace(self, content: bytes) -> None:
        """Put `content` in the place of the old content; durable when this returns. Only inside `locked`.

        Raises:
            VaultUnavailableError: it could not be written (disk full, for one); the old content stands.
            VaultForbiddenError: this user may not write here; the old content stands.
        """
        # One fixed name, so that what a killed writer left behind is replaced by the next one.
        fresh = self.path.with_name(self.path.name + ".new")
        with _translated("write"):
            fresh.unlink(missing_ok=True)
            try:
                _write_durably(fresh, content)
                fresh.replace(self.path)
            except OSError:
                with suppress(OSError):
                    fresh.unlink(missing_ok=True)
                raise
            sync_folder(self.path.parent)

    def _wait_for_lock(self, descriptor: int) -> None:
        deadline = time.monotonic() + self._lock_timeout_seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise VaultUnavailableError("The vault file stayed locked by another writer.") from None
                time.sleep(_LOCK_POLL_SECONDS)
            else:
                return


def _write_durably(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """A rename is durable only once the folder is."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _translated(verb: str) -> Iterator[None]:
    """The operating system's errors in the vault's words; the path, which is ours alone, stays in the cause."""
    try:
        yield
    except PermissionError as error:
        raise VaultForbiddenError(f"This user may not {verb} the vault file.") from error
    except OSError as error:
        raise VaultUnavailableError(f"Could not {verb} the vault file: {error.strerror}.") from error
