"""Who copies: this connector's data plane in its copy modes, and its peers."""

from pathlib import Path
from typing import Protocol

from benchmarks.measurement import Measurement
from benchmarks.stage import Stage


class Client(Protocol):
    """One way of copying. `name` is how it is chosen, `text` what a reader is told of it.

    `is_ours`: a row that is compared with the best peer. `server_side`: the bytes go from service to service, and only
    clients that let them go so are its peers.
    """

    name: str
    text: str
    is_ours: bool
    server_side: bool

    async def copy(self, stage: Stage, folder: Path) -> Measurement:
        """Copy the whole source into the destination, in processes of its own. `folder`: for its files.

        Raises:
            UnavailableError: a program is missing.
            BenchmarkError: it failed.
        """
        ...
