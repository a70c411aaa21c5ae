"""The stub: a server of our own that costs next to nothing, so that what is left is the client's own cost."""

import asyncio
import re
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from benchmarks.errors import BenchmarkError
from benchmarks.shapes import Shape
from benchmarks.stage import DESTINATION_ACCOUNT, SOURCE_ACCOUNT, Stage
from benchmarks.tools import built_stub
from connector_cli.azurite import new_account_key

_START_SECONDS: Final = 10.0
_LISTENING: Final = re.compile(r"listening on (127\.0\.0\.1:\d+)\n")


class StubServer:
    """The server in `benchmarks/stub`. `checks`: it compares every byte and every checksum, which costs."""

    name = "stub"

    def __init__(self, *, latency_milliseconds: float = 0.0, checks: bool = False) -> None:
        self._latency_milliseconds = latency_milliseconds
        self._checks = checks
        latency = f", {latency_milliseconds:g} ms added to each answer" if latency_milliseconds else ""
        self.text = f"Stub (a server in Go that makes up what is read and throws away what is written){latency}"

    @asynccontextmanager
    async def staged(self, shape: Shape, folder: Path) -> AsyncIterator[Stage]:
        """As `Server.staged`."""
        program = await asyncio.to_thread(built_stub)
        keys = {account: new_account_key() for account in (SOURCE_ACCOUNT, DESTINATION_ACCOUNT)}
        process = await asyncio.create_subprocess_exec(
            program, *self._arguments(shape), stdin=PIPE, stdout=PIPE, stderr=DEVNULL, cwd=folder
        )
        try:
            address = await _address(process)
            yield Stage(
                f"http://{address}/{{account}}", keys, shape, reads_back=False, told_at=f"http://{address}/_stats"
            )
        finally:
            process.terminate()
            await process.wait()

    def _arguments(self, shape: Shape) -> list[str]:
        arguments = ["-objects", str(shape.objects), "-size", str(shape.object_bytes)]
        arguments += ["-latency", f"{self._latency_milliseconds}ms"]
        return [*arguments, "-check"] if self._checks else arguments


async def _address(process: Process) -> str:
    if process.stdout is None:
        raise BenchmarkError("The stub has no standard output.")
    async with asyncio.timeout(_START_SECONDS):
        line = (await process.stdout.readline()).decode()
    listening = _LISTENING.fullmatch(line)
    if listening is None:
        raise BenchmarkError(f"The stub did not say where it listens but {line!r}.")
    return listening[1]
