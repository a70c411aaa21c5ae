"""The emulators of vault servers and Entra ID, as programs: they are in a clone, and not in the installed package."""

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from connector_cli.demo.processes import DemoProcessError
from connector_spi.errors import ConfigurationError

ROOT: Final = Path(__file__).resolve().parents[2]
_START_SECONDS: Final = 60
_STOP_SECONDS: Final = 10


@asynccontextmanager
async def running_emulator(
    name: str, *options: str, log_file: Path, root: Path = ROOT
) -> AsyncIterator[dict[str, str]]:
    """Run `python -m emulators.NAME` with these options; yields its address and the credentials that it made up.

    `root`: the clone.

    Raises:
        ConfigurationError: it is not there.
        DemoProcessError: it did not start.
    """
    command = _command(name, options, root)
    with log_file.open("ab") as log:
        process = await asyncio.create_subprocess_exec(*command, cwd=root, stdin=DEVNULL, stdout=PIPE, stderr=log)
    try:
        yield await _told_by(process, name, log_file)
    finally:
        await _stop(process)


async def run_emulator(name: str, *options: str) -> None:
    """Run `python -m emulators.NAME` to its end.

    Raises:
        ConfigurationError: it is not there.
        DemoProcessError: it failed.
    """
    process = await asyncio.create_subprocess_exec(
        *_command(name, options, ROOT), cwd=ROOT, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise DemoProcessError(f"The emulator {name} failed: {output.decode(errors='replace')[-2000:]}")


def _command(name: str, options: tuple[str, ...], root: Path) -> list[str]:
    if not (root / "emulators" / f"{name}.py").is_file():
        raise ConfigurationError(
            key="--vault",
            problem=f"the emulator {name} is not part of the installed package",
            remedy="Run the demo in a clone of the repository: make demo VAULT=...",
        )
    return [sys.executable, "-m", f"emulators.{name}", *options]


async def _told_by(process: Process, name: str, log_file: Path) -> dict[str, str]:
    """The one line that it prints when it listens."""
    if process.stdout is None:
        raise DemoProcessError(f"The emulator {name} has no output.")
    try:
        line = await asyncio.wait_for(process.stdout.readline(), _START_SECONDS)
        told: dict[str, str] = json.loads(line)
    except (TimeoutError, ValueError) as error:
        raise DemoProcessError(f"The emulator {name} did not start. Its log:\n{_end_of(log_file)}") from error
    return told


def _end_of(log_file: Path) -> str:
    return log_file.read_text(errors="replace")[-2000:]


async def _stop(process: Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
