"""A data plane in a process of its own, to be killed and measured: what runs in it, and its owner."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import uvicorn

from data_plane.bootstrap import build_data_plane
from data_plane.settings import DataPlaneSettings
from tests.eventually import eventually
from vault_adapters.factory import create_vault
from vault_adapters.settings import LocalVaultSettings


@dataclass
class DataPlaneProcess:
    """`restart` after `kill` works on the same database and vault, on another port."""

    folder: Path
    settings: DataPlaneSettings
    token: str
    process: Process | None = None
    client: httpx.AsyncClient | None = None

    async def start(self) -> httpx.AsyncClient:
        """Start it; returns a client that holds its token."""
        socket = self.folder / f"{os.urandom(4).hex()}.sock"
        (self.folder / "settings.json").write_text(self.settings.model_dump_json())
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", __name__, str(self.folder), str(socket)
        )
        client = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=str(socket)),
            base_url="http://data-plane",
            headers={"Authorization": f"Bearer {self.token}"},
        )
        self.client = client
        await eventually(lambda: self._is_ready(client))
        return client

    async def _is_ready(self, client: httpx.AsyncClient) -> bool:
        try:
            return (await client.get("/api/check/readiness")).status_code == 200
        except httpx.TransportError:
            return False

    async def kill(self) -> None:
        """End it as a power cut would."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """End it in order."""
        await self._end(signal.SIGTERM)

    async def _end(self, how: signal.Signals) -> None:
        if self.client is not None:
            await self.client.aclose()
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(how)
            await self.process.wait()

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid


@asynccontextmanager
async def data_plane_process(
    folder: Path, settings: DataPlaneSettings, secrets: dict[str, str]
) -> AsyncIterator[DataPlaneProcess]:
    vault = create_vault(_vault_settings(folder), {})
    for alias, value in secrets.items():
        await vault.store(alias, value)
    owner = DataPlaneProcess(folder, settings, secrets[settings.signaling_token_alias])
    try:
        yield owner
    finally:
        await owner.stop()
        await vault.aclose()


def _vault_settings(folder: Path) -> LocalVaultSettings:
    return LocalVaultSettings(type="local", file=folder / "vault" / "sealed", key_file=folder / "vault.key")


async def _serve(folder: Path, socket: str) -> None:
    settings = DataPlaneSettings.model_validate(json.loads((folder / "settings.json").read_text()))
    vault = create_vault(_vault_settings(folder), {})
    async with build_data_plane(settings, vault=vault) as plane:
        await uvicorn.Server(uvicorn.Config(plane.app, uds=socket, log_level="warning", lifespan="on")).serve()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), sys.argv[2]))
