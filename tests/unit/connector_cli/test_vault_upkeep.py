"""`connector vault rotate-key` and `connector vault sweep`: what an operator does now and then."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from typer.testing import Result

from connector_spi.clock import SystemClock
from control_plane.adapters.sql_stores import migrate_stores, open_stores
from control_plane.domain.transfer_process import TransferProcessState
from data_plane.adapters.sql_data_flow_store import SqlDataFlowStore
from data_plane.adapters.sql_secret_ledger import SqlSecretLedger
from data_plane.bootstrap import MIGRATIONS, VERSION_TABLE
from data_plane.ports.secret_ledger import SecretOwner
from sql_storage.database import Database
from sql_storage.migrations import migrate
from tests.control_plane_entities import transfer_process
from tests.unit.connector_cli.conftest import MINIMAL
from tests.unit.data_plane.fakes import a_data_flow
from vault_adapters.local import VaultKey

Connector = Callable[..., Result]
Written = Callable[[str], Path]

RUNNING, ENDED, UNKNOWN = (f"transfer-process-{name}-data-address" for name in ("running", "ended", "unknown"))
OF_FLOW = "data-flow-crashed-source"


def keys_in(file: Path) -> list[str]:
    return file.read_text().split()


def stored(connector: Connector, config: Path, *aliases: str) -> None:
    assert connector("vault", "init", "--config", config).exit_code == 0
    for alias in aliases:
        assert connector("vault", "set", alias, "--config", config, stdin="planted-secret").exit_code == 0


def aliases(connector: Connector, config: Path) -> list[str]:
    found = connector("vault", "list", "--json", "--config", config)
    return list(json.loads(found.stdout))


def test_a_key_is_rotated_without_showing_one(connector: Connector, written: Written, tmp_path: Path) -> None:
    config, key_file = written(MINIMAL), tmp_path / "vault.key"
    stored(connector, config, "alias")
    (old,) = keys_in(key_file)
    done = connector("vault", "rotate-key", "--config", config)
    (new,) = keys_in(key_file)
    assert (done.exit_code, new == old, aliases(connector, config)) == (0, False, ["alias"])
    assert old not in done.output
    assert new not in done.output
    assert "Backups from before need the old one" in done.stderr


def test_an_interrupted_rotation_is_told_to_be_done(connector: Connector, written: Written, tmp_path: Path) -> None:
    config, key_file = written(MINIMAL), tmp_path / "vault.key"
    stored(connector, config, "alias")
    new = VaultKey.generate().to_text()
    key_file.write_text(f"{new}\n{key_file.read_text()}")
    done = connector("vault", "rotate-key", "--config", config)
    assert (done.exit_code, keys_in(key_file), aliases(connector, config)) == (0, [new], ["alias"])
    assert "that was interrupted is done" in done.stderr


def test_a_key_of_the_environment_is_rotated_by_the_first_of_two(
    connector: Connector, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = written(MINIMAL.replace('key_file = "vault.key"', 'key_env = "A_VAULT_KEY"'))
    old, new = VaultKey.generate().to_text(), VaultKey.generate().to_text()
    monkeypatch.setenv("A_VAULT_KEY", old)
    stored(connector, config, "alias")
    alone = connector("vault", "rotate-key", "--config", config)
    assert (alone.exit_code, "A_VAULT_KEY holds one key alone" in alone.stderr) == (2, True)
    monkeypatch.setenv("A_VAULT_KEY", f"{new} {old}")
    done = connector("vault", "rotate-key", "--config", config)
    assert (done.exit_code, new in done.output, old in done.output) == (0, False, False)
    monkeypatch.setenv("A_VAULT_KEY", new)
    assert aliases(connector, config) == ["alias"]
    monkeypatch.setenv("A_VAULT_KEY", old)
    assert connector("vault", "list", "--config", config).exit_code == 2


@pytest.mark.parametrize("vault", ['type = "memory"', 'type = "hashicorp"\nurl = "https://vault.example"'])
def test_only_a_local_vault_has_a_key_to_rotate(connector: Connector, written: Written, vault: str) -> None:
    login = '\n[vault.login]\nmethod = "token"\ntoken_env = "VAULT_TOKEN"\n' if "hashicorp" in vault else ""
    result = connector("vault", "rotate-key", "--config", written(f"[vault]\n{vault}\n{login}"))
    assert (result.exit_code, "Only a local vault" in result.stderr) == (2, True)


def of_connector(connector: Connector, written: Written, folder: Path) -> Path:
    """A connector with a running transfer, one that has ended, and a secret of one that never was."""
    config = written("embedded_data_plane = true\n" + MINIMAL + '\n[data_plane]\ndatabase_url = "sqlite:///flows.db"\n')
    stored(connector, config, RUNNING, ENDED, UNKNOWN, OF_FLOW, "data-flow-of-others-source", "providerorg")
    on_database(f"sqlite:///{folder}/connector.db", fill_control_plane)
    on_database(f"sqlite:///{folder}/flows.db", fill_data_plane)
    return config


def on_database(url: str, work: Callable[[Database], Awaitable[None]]) -> None:
    async def run() -> None:
        database = Database.open(url)
        await work(database)
        await database.aclose()

    asyncio.run(run())


async def fill_control_plane(database: Database) -> None:
    await migrate_stores(database)
    processes = open_stores(database, SystemClock()).transfer_processes
    await processes.create(transfer_process("running"), due_at=None)
    await processes.create(transfer_process("ended", state=TransferProcessState.TERMINATED), due_at=None)


async def fill_data_plane(database: Database) -> None:
    await migrate(database, MIGRATIONS, version_table=VERSION_TABLE)
    await SqlDataFlowStore(database).add(a_data_flow("flow-1"))
    await SqlSecretLedger(database, SystemClock()).note(SecretOwner.DATA_FLOW, "crashed", [OF_FLOW])


def test_orphans_are_listed_and_removed_on_demand(connector: Connector, written: Written, tmp_path: Path) -> None:
    config = of_connector(connector, written, tmp_path)
    before = aliases(connector, config)
    listed = connector("vault", "sweep", "--json", "--config", config)
    assert listed.exit_code == 0, listed.output
    assert json.loads(listed.stdout) == [
        {"alias": ENDED, "plane": "control plane", "reason": "the transfer has ended (TERMINATED)"},
        {"alias": UNKNOWN, "plane": "control plane", "reason": "there is no such transfer"},
        {"alias": OF_FLOW, "plane": "data plane", "reason": "there is no such data flow"},
    ]
    shown = connector("vault", "sweep", "--config", config)
    assert (UNKNOWN in shown.stdout, "--remove" in shown.stderr, aliases(connector, config)) == (True, True, before)
    removed = connector("vault", "sweep", "--remove", "--wait", "0", "--json", "--config", config)
    assert json.loads(removed.stdout) == json.loads(listed.stdout)
    assert aliases(connector, config) == ["data-flow-of-others-source", "providerorg", RUNNING]
    again = connector("vault", "sweep", "--remove", "--config", config)
    assert "There are no orphaned secrets." in again.stdout
    for result in (listed, shown, removed, again):
        assert "planted-secret" not in result.output


def test_without_a_database_nothing_looks_like_an_orphan(
    connector: Connector, written: Written, tmp_path: Path
) -> None:
    config = written(MINIMAL)
    stored(connector, config, RUNNING)
    result = connector("vault", "sweep", "--remove", "--wait", "0", "--config", config)
    assert (result.exit_code, "connector.db, which is not there" in result.stderr) == (2, True)
    assert (aliases(connector, config), (tmp_path / "connector.db").exists()) == ([RUNNING], False)


def test_a_database_in_the_memory_of_another_process_cannot_be_asked(connector: Connector, written: Written) -> None:
    config = written(MINIMAL + '\n[database]\nurl = "memory://"\n')
    stored(connector, config, RUNNING)
    assert connector("vault", "sweep", "--remove", "--wait", "0", "--config", config).exit_code == 2
    assert aliases(connector, config) == [RUNNING]


def test_a_data_plane_on_its_own_looks_at_its_own_secrets(
    connector: Connector, written: Written, tmp_path: Path
) -> None:
    text = MINIMAL.replace('[participant]\nid = "consumer"\n', "")
    config = written(text + '\n[data_plane]\ndatabase_url = "sqlite:///flows.db"\n')
    stored(connector, config, UNKNOWN, OF_FLOW)
    on_database(f"sqlite:///{tmp_path}/flows.db", fill_data_plane)
    listed = connector("vault", "sweep", "--json", "--config", config)
    assert [orphan["alias"] for orphan in json.loads(listed.stdout)] == [OF_FLOW]
