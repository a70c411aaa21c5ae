"""Commands that need no running connector."""

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from typer.testing import Result

import connector_cli
from tests.unit.connector_cli.conftest import MINIMAL

Connector = Callable[..., Result]
Written = Callable[..., Path]

COMMANDS = [
    ["run"],
    ["data-plane"],
    ["demo"],
    ["catalog"],
    ["negotiate"],
    ["transfer"],
    ["status"],
    ["address"],
    ["fetch"],
    ["complete"],
    ["deprovision"],
    ["config", "check"],
    ["vault", "init"],
    ["vault", "set"],
    ["vault", "list"],
    ["vault", "delete"],
    ["vault", "rotate-key"],
    ["vault", "sweep"],
    ["identity", "create"],
    ["identity", "show"],
    ["explain"],
]
DEPLOY = Path(connector_cli.__file__).parent.parent / "deploy"


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_teaches_with_an_example(connector: Connector, command: list[str]) -> None:
    result = connector(*command, "--help")
    assert result.exit_code == 0
    assert f"Example: connector {' '.join(command)}" in " ".join(result.output.split())


def test_help_lists_every_command(connector: Connector) -> None:
    output = connector("--help").output
    assert not [command[0] for command in COMMANDS if f" {command[0]} " not in output]


def test_a_command_that_does_not_exist_is_wrong_usage(connector: Connector) -> None:
    assert connector("fly").exit_code == 2


def test_the_demo_tells_which_vaults_there_are(connector: Connector) -> None:
    result = connector("demo", "--vault", "keychain")
    assert result.exit_code == 2
    assert not [kind for kind in ("local", "hashicorp", "azure-key-vault") if f"'{kind}'" not in result.output]


@pytest.mark.parametrize("name", ["consumer.toml", "provider.toml", "data-plane.toml", "azure.toml"])
def test_the_example_files_are_fine(connector: Connector, name: str) -> None:
    result = connector("config", "check", "--config", DEPLOY / name, "--json")
    assert result.exit_code == 0, result.output
    wanted = "connector data-plane" if name == "data-plane.toml" else "connector run"
    assert json.loads(result.stdout)["for"] == wanted


def test_what_opens_accounts_is_shown_without_a_secret(
    connector: Connector, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "dG9wc2VjcmV0"
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", f"AccountName=acme3;AccountKey={key}")
    accounts = (
        "[azure_identities.own]\ntype = 'managed-identity'\n"
        "[[storage.accounts]]\nname = 'acme1'\nidentity = 'own'\n"
        "[[storage.accounts]]\nname = 'acme2'\nkey_alias = 'main'\n"
    )
    config = written(MINIMAL + accounts)
    result = connector("config", "check", "--config", config, "--json")
    assert result.exit_code == 0, result.output
    shown = json.loads(result.stdout)
    assert shown["storage"] == [
        "acme1 by identity own",
        "acme2 by key main",
        "acme3 by connection string AZURE_STORAGE_CONNECTION_STRING",
        "others by account key from the vault",
    ]
    assert (shown["vault"], shown["identities"]) == ("local", ["own (managed-identity)"])
    assert "main" in shown["secrets"]
    assert "opened by an account key or connection string: acme2, acme3." in result.stderr
    assert key not in result.output


def test_a_wrong_configuration_is_told_without_a_traceback(connector: Connector, written: Written) -> None:
    result = connector("config", "check", "--config", written("[management]\nport = 0\n"))
    assert result.exit_code == 2
    assert "  management.port: " in result.stderr
    assert "  vault: is missing." in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize("command", ["run", "data-plane"])
def test_nothing_starts_with_a_wrong_configuration(connector: Connector, written: Written, command: str) -> None:
    result = connector(command, "--config", written("[vault]\ntype = 'paper'\n"))
    assert (result.exit_code, "vault" in result.stderr) == (2, True)


def test_a_vault_is_prepared_step_by_step(connector: Connector, written: Written, tmp_path: Path) -> None:
    config = written()
    assert connector("config", "check", "--vault", "--config", config).exit_code == 2
    assert connector("vault", "init", "--config", config).exit_code == 0
    missing = connector("config", "check", "--vault", "--config", config)
    assert missing.exit_code == 2
    assert "connector identity create" in missing.stderr
    assert "connector vault set management-api-key" in missing.stderr

    created = connector("identity", "create", "--config", config)
    assert created.exit_code == 0
    load_pem_public_key(created.stdout.encode())
    assert connector("identity", "show", "--config", config).stdout == created.stdout
    assert connector("vault", "set", "management-api-key", "--config", config, stdin="the key\n").exit_code == 0

    assert connector("config", "check", "--vault", "--config", config).exit_code == 0
    assert connector("vault", "init", "--config", config).exit_code == 0
    assert json.loads(connector("vault", "list", "--json", "--config", config).stdout) == [
        "management-api-key",
        "participant-signing-key",
    ]
    assert stat.S_IMODE((tmp_path / "vault.key").stat().st_mode) == 0o600


def test_no_command_shows_a_secret(connector: Connector, written: Written) -> None:
    config = written()
    outputs = [
        connector("vault", "init", "--config", config),
        connector("vault", "set", "an-alias", "--config", config, stdin="planted-secret"),
        connector("vault", "list", "--config", config),
        connector("identity", "create", "--config", config),
        connector("identity", "show", "--config", config),
        connector("config", "check", "--vault", "--config", config),
        connector("vault", "delete", "an-alias", "--config", config),
    ]
    for result in outputs:
        assert "planted-secret" not in result.output
        assert "PRIVATE KEY" not in result.output


def test_a_secret_can_be_deleted_once(connector: Connector, written: Written) -> None:
    config = written()
    connector("vault", "init", "--config", config)
    connector("vault", "set", "an-alias", "--config", config, stdin="value")
    assert connector("vault", "delete", "an-alias", "--config", config).exit_code == 0
    again = connector("vault", "delete", "an-alias", "--config", config)
    assert (again.exit_code, "an-alias" in again.stderr) == (1, True)


@pytest.mark.parametrize(("alias", "value"), [("with space", "value"), ("alias", ""), ("alias", "x" * 30_000)])
def test_what_a_vault_cannot_hold_is_refused(connector: Connector, written: Written, alias: str, value: str) -> None:
    config = written()
    connector("vault", "init", "--config", config)
    result = connector("vault", "set", alias, "--config", config, stdin=value)
    assert result.exit_code == 2
    assert not json.loads(connector("vault", "list", "--json", "--config", config).stdout)


def test_a_signing_key_is_not_replaced_by_accident(connector: Connector, written: Written) -> None:
    config = written()
    connector("vault", "init", "--config", config)
    first = connector("identity", "create", "--config", config).stdout
    assert connector("identity", "create", "--config", config).exit_code == 1
    assert connector("identity", "show", "--config", config).stdout == first
    assert connector("identity", "create", "--replace", "--config", config).stdout != first


def test_a_memory_vault_cannot_be_prepared(connector: Connector, written: Written) -> None:
    text = MINIMAL.replace('type = "local"\nfile = "vault.bin"\nkey_file = "vault.key"', 'type = "memory"')
    result = connector("vault", "init", "--config", written(text))
    assert (result.exit_code, "vault.type" in result.stderr) == (2, True)
