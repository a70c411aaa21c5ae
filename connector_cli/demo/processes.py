"""The demo's connectors: real processes, started, watched, killed and stopped by their process id."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from connector_spi.errors import PermanentError

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 30.0


class DemoProcessError(PermanentError):
    """A process of the demo did not start or has ended."""

    code = "DemoProcess"
    cause = "a process of the demo did not start, or has ended"
    remedy = "Read the end of its log, which the message names; often a port of another run is still in use."


def environment_without_settings() -> dict[str, str]:
    """This process's environment, without what a connector would take for settings."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("CONNECTOR_", "AZURE_STORAGE_"))}


@dataclass(slots=True)
class ConnectorProcess:
    """One `connector` command with its configuration; its log goes to a file as JSON lines.

    `environment`: settings that win over the configuration file.
    """

    name: str
    arguments: tuple[str, ...]
    health_url: str
    folder: Path
    log_file: Path
    environment: dict[str, str] = field(default_factory=dict)
    _process: Process | None = field(default=None)

    @property
    def pid(self) -> int:
        """The process id of the running process."""
        if self._process is None:
            raise DemoProcessError(f"{self.name} is not running.")
        return self._process.pid

    async def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            DemoProcessError: it ended, or did not answer in time; the text holds the end of its log.
        """
        command = [sys.executable, "-m", "connector_cli", *self.arguments]
        with self.log_file.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                cwd=self.folder,
                env={**environment_without_settings(), **self.environment},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        await self._wait_until_healthy(self._process)

    async def kill(self) -> None:
        """SIGKILL: no chance to tidy up."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL when it does not heed it; does nothing when it is not running."""
        if self._process is not None and self._process.returncode is None:
            await self._end(signal.SIGTERM)

    async def _end(self, how: signal.Signals) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(how)
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _wait_until_healthy(self, process: Process) -> None:
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        async with httpx.AsyncClient(timeout=2, trust_env=False) as http:
            while asyncio.get_running_loop().time() < deadline:
                if process.returncode is not None:
                    break
                try:
                    if (await http.get(self.health_url)).is_success:
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.1)
        tail = self.log_file.read_text(errors="replace")[-2000:]
        raise DemoProcessError(f"{self.name} did not start. The end of its log:\n{tail}")
