"""`connector vault` on a vault server: the same commands, with the connector's own login."""

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from connector_cli.main import app
from tests.emulated import RunningVault, running_vault

CONFIGURATION = """
[participant]
id = "provider"

[vault]
type = "hashicorp"
url = "{url}"
mount = "{mount}"
folder = "{folder}"
call_seconds = 2
{ca_file}

[vault.login]
method = "approle"
role_id = "{role_id}"
secret_id_env = "A_SECRET_ID"
"""


class Cli:
    """Runs commands beside the event loop of the test."""

    def __init__(self, server: RunningVault, folder: Path, *, secrets_folder: str = "connector") -> None:
        self.config = folder / "connector.toml"
        ca_file = f'ca_file = "{server.ca_file}"' if server.ca_file else ""
        self.config.write_text(
            CONFIGURATION.format(
                url=server.url, mount=server.mount, folder=secrets_folder, role_id=server.role_id, ca_file=ca_file
            )
        )

    async def run(self, *arguments: str, stdin: str = "") -> Result:
        command = ["vault", *arguments, "--config", str(self.config)]
        return await asyncio.to_thread(CliRunner().invoke, app, command, input=stdin)


async def test_a_server_is_tried_out_and_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_vault(tmp_path / "vault") as server:
        monkeypatch.setenv("A_SECRET_ID", server.secret_id)
        cli = Cli(server, tmp_path)
        tried = await cli.run("init")
        assert (tried.exit_code, "list, write, read and delete" in tried.stderr) == (0, True), tried.output
        assert json.loads((await cli.run("list", "--json")).stdout) == [], "nothing is left of the trial"
        assert (await cli.run("set", "providerorg", stdin="planted-secret\n")).exit_code == 0
        listed = await cli.run("list", "--json")
        assert json.loads(listed.stdout) == ["providerorg"]
        assert (await cli.run("delete", "providerorg")).exit_code == 0
        again = await cli.run("delete", "providerorg")
        assert (again.exit_code, "providerorg" in again.stderr) == (1, True)
        rotated = await cli.run("rotate-key")
        assert (rotated.exit_code, "vault.type: is hashicorp" in rotated.stderr) == (2, True)
        swept = await cli.run("sweep")
        assert (swept.exit_code, "is not there" in swept.stderr) == (2, True), swept.output


async def test_a_server_that_is_sealed_or_refuses_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_vault(tmp_path / "vault") as server:
        cli = Cli(server, tmp_path)
        monkeypatch.setenv("A_SECRET_ID", "not-the-secret-id")
        refused = await cli.run("init")
        assert refused.exit_code != 0
        assert "not-the-secret-id" not in refused.output
        monkeypatch.setenv("A_SECRET_ID", server.secret_id)
        await server.seal()
        sealed = await cli.run("init")
        assert (sealed.exit_code, "seal" in sealed.stderr.lower()) == (1, True), sealed.output
        assert "Traceback" not in sealed.output
