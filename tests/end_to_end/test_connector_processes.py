"""The real command in a process of its own."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from connector_cli.composition import EMBEDDED_TOKEN_ALIAS
from connector_cli.demo.ports import free_ports
from tests.unit.control_plane.keys import key_of, private_pem
from vault_adapters.factory import create_vault, open_vault
from vault_adapters.settings import LocalVaultSettings

pytestmark = pytest.mark.end_to_end

API_KEY = "the-key"
START_SECONDS = 60


class Place:
    """A folder with a configuration, and a vault with what must be in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.vault = LocalVaultSettings(type="local", file=folder / "vault.bin", key_file=folder / "vault.key")
        self.management, self.protocol, self.signaling, self.data_plane = free_ports(4)
        (folder / "connector.toml").write_text(
            f"""
embedded_data_plane = true
[participant]
id = "consumer"
[management]
port = {self.management}
[protocol]
port = {self.protocol}
metadata = {{ service_id = "one" }}
[signaling]
port = {self.signaling}
[data_plane]
port = {self.data_plane}
[vault]
type = "local"
file = "vault.bin"
key_file = "vault.key"
"""
        )

    async def furnish(self) -> None:
        vault = create_vault(self.vault, os.environ)
        await vault.store("participant-signing-key", private_pem(key_of("consumer")))
        await vault.store("management-api-key", API_KEY)
        await vault.store("signaling-token", "the-token")

    async def secrets(self) -> list[str]:
        return await open_vault(self.vault, os.environ).aliases()

    async def start(self, command: str) -> Process:
        config = str(self.folder / "connector.toml")
        others = {k: v for k, v in os.environ.items() if not k.startswith(("CONNECTOR_", "AZURE_STORAGE_"))}
        environment = others | {"TMPDIR": str(self.folder)}
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "connector_cli", command, "--config", config, stderr=PIPE, env=environment
        )

    @asynccontextmanager
    async def running(self, command: str, port: int) -> AsyncIterator[Process]:
        """The process, once it answers."""
        process = await self.start(command)
        try:
            await _healthy(process, f"http://127.0.0.1:{port}/api/check/readiness")
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def _healthy(process: Process, url: str) -> None:
    async with asyncio.timeout(START_SECONDS), httpx.AsyncClient(trust_env=False) as http:
        while process.returncode is None:
            try:
                if (await http.get(url)).is_success:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)
    raise AssertionError(process.stderr and (await process.stderr.read()).decode())


async def ended(process: Process) -> tuple[int, str]:
    """Exit code and standard error."""
    async with asyncio.timeout(START_SECONDS):
        _, error = await process.communicate()
    return process.returncode or 0, error.decode()


@pytest.fixture
async def place(tmp_path: Path) -> Place:
    found = Place(tmp_path)
    await found.furnish()
    return found


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
async def test_a_connector_serves_everything_and_stops_when_asked(place: Place, how: signal.Signals) -> None:
    async with place.running("run", place.management) as process, httpx.AsyncClient(trust_env=False) as http:
        management = f"http://127.0.0.1:{place.management}"
        assert (await http.get(f"{management}/management/transferprocess")).status_code == 401
        answer = await http.get(f"{management}/management/transferprocess", headers={"X-Api-Key": API_KEY})
        assert (answer.status_code, answer.json()) == (200, [])
        versions = await http.get(f"http://127.0.0.1:{place.protocol}/protocol/.well-known/dspace-version")
        at_the_root = await http.get(f"http://127.0.0.1:{place.protocol}/.well-known/dspace-version")
        told = {"version": "2025-1", "path": "/2025-1", "binding": "HTTPS", "serviceId": "one"}
        assert versions.json() == {"protocolVersions": [told]}
        assert at_the_root.json() == {"protocolVersions": [told | {"path": "/protocol/2025-1"}]}
        assert (await http.post(f"http://127.0.0.1:{place.signaling}/transfers/x/dataflow/started")).status_code == 401
        process.send_signal(how)
        code, log = await ended(process)
    assert (code, "stopped" in log) == (0, True), log
    assert EMBEDDED_TOKEN_ALIAS in await place.secrets()
    assert not list(place.folder.glob("connector-*"))


async def test_a_data_plane_runs_on_its_own(place: Place) -> None:
    async with place.running("data-plane", place.data_plane) as process, httpx.AsyncClient(trust_env=False) as http:
        answer = await http.post(f"http://127.0.0.1:{place.data_plane}/dataflows/start", json={})
        assert answer.status_code == 401
        process.send_signal(signal.SIGTERM)
        code, log = await ended(process)
    assert (code, "stopped" in log) == (0, True), log


async def test_a_port_in_use_ends_the_start_with_the_key_of_the_setting(place: Place) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", place.protocol))
        taken.listen()
        code, log = await ended(await place.start("run"))
    assert code == 2
    assert f"protocol.port: cannot listen on 127.0.0.1:{place.protocol}" in log
    assert "Traceback" not in log


async def test_missing_secrets_end_the_start_by_name(tmp_path: Path) -> None:
    place = Place(tmp_path)
    create_vault(place.vault, os.environ)
    code, log = await ended(await place.start("run"))
    assert code == 2
    assert "connector identity create" in log
    assert "connector vault set management-api-key" in log
    assert "Traceback" not in log
