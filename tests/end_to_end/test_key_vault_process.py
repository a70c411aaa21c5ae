"""A connector whose secrets rest in a Key Vault, that of the identity which opens its storage among them."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from azure_storage.opening import open_storage
from connector_cli.configuration import load_settings
from connector_cli.demo.ports import free_ports
from connector_cli.demo.processes import ConnectorProcess
from connector_cli.opened_vault import opened_vault
from connector_spi.clock import SystemClock
from tests.conftest import AzuriteWithOAuth
from tests.emulated import RunningEntra, running_key_vault

pytestmark = [pytest.mark.azurite, pytest.mark.end_to_end]

ACCOUNT, API_KEY, VARIABLE = "providerorg", "the-key", "OPENER_SECRET"


def configuration(entra: RunningEntra, vault_url: str, azurite: AzuriteWithOAuth, ports: list[int]) -> str:
    """One application under two names, as two identities: one opens the vault, the other one storage."""
    identity = (
        f'type = "client-secret"\nauthority = "{entra.url}"\ninstance_discovery = false\nca_file = "{entra.ca_file}"\n'
        f'tenant_id = "{entra.tenant}"\nclient_id = "{entra.client_id}"\n'
    )
    return f"""
embedded_data_plane = true
[participant]
id = "provider"
[management]
port = {ports[0]}
[protocol]
port = {ports[1]}
[signaling]
port = {ports[2]}
[azure_identities.opener]
{identity}client_secret_env = "{VARIABLE}"
[azure_identities.storage]
{identity}client_secret_alias = "storage-secret"
[vault]
type = "azure-key-vault"
url = "{vault_url}"
identity = "opener"
verify_challenge_resource = false
ca_file = "{entra.ca_file}"
[storage]
endpoint_template = "{azurite.endpoint_template}"
ca_file = "{azurite.ca_file}"
[[storage.accounts]]
name = "{ACCOUNT}"
identity = "storage"
[logging]
format = "json"
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A folder with the configuration, and the environment of the commands."""

    folder: Path
    port: int
    client_secret: str

    @property
    def file(self) -> Path:
        return self.folder / "connector.toml"

    @property
    def environment(self) -> dict[str, str]:
        return {VARIABLE: self.client_secret}

    async def command(self, *arguments: str, stdin: str = "") -> str:
        """What the command printed; it has to succeed."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "connector_cli", *arguments, "--config", str(self.file)),
            env={**os.environ, **self.environment},
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
        )
        output, error = await process.communicate(stdin.encode())
        assert process.returncode == 0, error.decode()
        return output.decode()


@pytest.fixture
async def place(azurite_oauth: AzuriteWithOAuth, tmp_path: Path) -> AsyncIterator[Place]:
    entra, ports = azurite_oauth.entra, free_ports(3)
    async with running_key_vault(tmp_path / "key-vault", entra) as vault:
        found = Place(tmp_path, ports[0], entra.client_secret)
        found.file.write_text(configuration(entra, vault.url, azurite_oauth, ports))
        yield found


async def test_operators_fill_the_vault_and_the_connector_starts_from_it(place: Place) -> None:
    await place.command("identity", "create")
    await place.command("vault", "set", "management-api-key", stdin=API_KEY)
    await place.command("vault", "set", "storage-secret", stdin=f"{place.client_secret}\n")
    shown = json.loads(await place.command("config", "check", "--vault", "--json"))
    assert (shown["vault"], shown["storage"][0]) == ("azure-key-vault", f"{ACCOUNT} by identity storage")
    health = f"http://127.0.0.1:{place.port}/api/check/readiness"
    process = ConnectorProcess(
        "connector", ("run", "--config", "connector.toml"), health, place.folder, place.folder / "connector.log"
    )
    process.environment.update(place.environment)
    try:
        await process.start()
        async with httpx.AsyncClient(trust_env=False) as http:
            assets = f"http://127.0.0.1:{place.port}/management/transferprocess"
            assert (await http.get(assets)).status_code == 401
            assert (await http.get(assets, headers={"X-Api-Key": API_KEY})).status_code == 200
    finally:
        await process.stop()
    log = (place.folder / "connector.log").read_text()
    assert place.client_secret not in log
    assert "opened by an account key" not in log
    assert "ERROR" not in log


async def test_the_secret_of_the_identity_for_storage_comes_from_the_vault(place: Place, container_name: str) -> None:
    settings = load_settings(place.file)
    async with (
        opened_vault(settings, place.environment) as opened,
        open_storage(settings.storage, opened.vault, SystemClock(), credentials=opened.identities) as storage,
    ):
        await opened.vault.store("storage-secret", place.client_secret)
        await storage.objects.create_container(ACCOUNT, container_name, process_id="p")
        assert [listed async for listed in storage.objects.list_objects(ACCOUNT, container_name)] == []
        assert ACCOUNT not in await opened.vault.aliases()
