"""The servers that blobs are copied on. Each run gets a fresh one, so that no client finds another's leavings."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from benchmarks.shapes import Shape
from benchmarks.stage import Stage


class Server(Protocol):
    """A kind of server. `name` is how it is chosen, `text` what a reader is told of it."""

    name: str
    text: str

    def staged(self, shape: Shape, folder: Path) -> AbstractAsyncContextManager[Stage]:
        """A started server whose source holds the shape; it ends with the context. `folder`: for its files.

        Raises:
            UnavailableError: a program is missing.
        """
        ...
