"""Runs the clients by turns (A B C A B C ...), each on a fresh server, and looks at what they left."""

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.clients import Client
from benchmarks.errors import BenchmarkError, UnavailableError
from benchmarks.measurement import Measurement
from benchmarks.servers import Server
from benchmarks.shapes import Shape
from benchmarks.summary import Row, Runs, summarised


@dataclass
class Group:
    """All runs on one server with one shape. `failures`: why a client has no (more) runs, by its name."""

    server: Server
    shape: Shape
    clients: Sequence[Client]
    runs: dict[str, list[Measurement]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def rows(self) -> list[Row]:
        """The summary."""
        return summarised(
            Runs(client.name, client.is_ours, client.server_side, self.runs.get(client.name, []))
            for client in self.clients
        )


async def run_group(server: Server, shape: Shape, clients: Sequence[Client], *, runs: int) -> Group:
    """Run every client `runs` times. One that fails has no more turns, and the others go on.

    Raises:
        UnavailableError: the server is not on this machine.
    """
    group = Group(server, shape, clients)
    for turn in range(1, runs + 1):
        for client in clients:
            if client.name not in group.failures:
                await _run(group, client, f"{server.name} {shape.name} {turn}/{runs} {client.name}")
    return group


async def _run(group: Group, client: Client, title: str) -> None:
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        async with group.server.staged(group.shape, folder) as stage:
            try:
                measured = await client.copy(stage, folder)
                await asyncio.to_thread(stage.check)
            except UnavailableError as error:
                group.failures[client.name] = str(error)
            except BenchmarkError as error:
                group.failures[client.name] = str(error).replace(stage.write_signature(), "***")
            else:
                group.runs.setdefault(client.name, []).append(measured)
                _tell(f"{title}: {measured.wall_seconds:.2f} s, {measured.cpu_seconds:.2f} s of CPU")
                return
    _tell(f"{title}: FAILED: {group.failures[client.name]}")


def _tell(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
