"""The embedded vault's own promises: encryption, tampering, permissions, locking, failed writes."""

import fcntl
import itertools
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from connector_spi.errors import (
    ConfigurationError,
    SecretNotFoundError,
    VaultForbiddenError,
    VaultUnavailableError,
)
from vault_adapters.local import EncryptedLocalVault, VaultKey

PLANTED = "planted-5e1f-secret"


@pytest.fixture
def key() -> VaultKey:
    return VaultKey.generate()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vaults" / "consumer.vault"


async def test_nothing_readable_rests_on_disk(path: Path, key: VaultKey) -> None:
    vault = EncryptedLocalVault.create(path, key)
    await vault.store("partner-acme/sas", PLANTED)
    everything = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert PLANTED.encode() not in everything
    assert b"partner-acme" not in everything
    assert key.secret not in everything
    assert key.to_text().encode() not in everything


async def test_the_files_are_for_the_owner_alone(path: Path, key: VaultKey) -> None:
    vault = EncryptedLocalVault.create(path, key)
    await vault.store("alias", "value")
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}


async def test_what_was_stored_outlives_the_instance(path: Path, key: VaultKey) -> None:
    await EncryptedLocalVault.create(path, key).store("alias", "value")
    assert await EncryptedLocalVault.open(path, key).resolve("alias") == "value"
    assert await EncryptedLocalVault.create(path, key).resolve("alias") == "value"


async def test_a_wrong_key_is_refused_at_once_and_changes_nothing(path: Path, key: VaultKey) -> None:
    await EncryptedLocalVault.create(path, key).store("alias", "value")
    for opener in (EncryptedLocalVault.open, EncryptedLocalVault.create):
        with pytest.raises(VaultForbiddenError, match="another key"):
            opener(path, VaultKey.generate())
    assert await EncryptedLocalVault.open(path, key).resolve("alias") == "value"


def test_a_missing_vault_is_not_quietly_made(path: Path, key: VaultKey) -> None:
    with pytest.raises(ConfigurationError, match=r"vault\.file: .*consumer\.vault does not exist"):
        EncryptedLocalVault.open(path, key)
    assert not path.exists()


async def test_a_change_of_any_byte_is_noticed(path: Path, key: VaultKey) -> None:
    vault = EncryptedLocalVault.create(path, key)
    await vault.store("alias", PLANTED)
    sealed = path.read_bytes()
    for position in range(len(sealed)):
        changed = bytearray(sealed)
        changed[position] ^= 0x01
        path.write_bytes(changed)
        with pytest.raises(VaultForbiddenError):
            EncryptedLocalVault.open(path, key)
    path.write_bytes(sealed)
    assert await vault.resolve("alias") == PLANTED


async def test_a_truncated_or_longer_file_is_noticed(path: Path, key: VaultKey) -> None:
    await EncryptedLocalVault.create(path, key).store("alias", PLANTED)
    sealed = path.read_bytes()
    for changed in [sealed[:length] for length in range(len(sealed))] + [sealed + b"\0"]:
        path.write_bytes(changed)
        with pytest.raises(VaultForbiddenError):
            EncryptedLocalVault.open(path, key)


async def test_a_damaged_vault_refuses_reads_and_writes_and_is_left_as_it_is(path: Path, key: VaultKey) -> None:
    vault = EncryptedLocalVault.create(path, key)
    await vault.store("alias", PLANTED)
    damaged = path.read_bytes()[:-1] + b"?"
    path.write_bytes(damaged)
    with pytest.raises(VaultForbiddenError, match="damaged"):
        await vault.resolve("alias")
    with pytest.raises(VaultForbiddenError, match="damaged"):
        await vault.store("other", "value")
    assert path.read_bytes() == damaged


async def test_the_same_secrets_never_look_the_same_twice(path: Path, key: VaultKey) -> None:
    vault = EncryptedLocalVault.create(path, key)
    seen = set()
    for _ in range(3):
        await vault.store("alias", "value")
        seen.add(path.read_bytes()[24:])
    assert len(seen) == 3


async def test_a_vault_that_vanished_is_not_replaced_by_an_empty_one(path: Path, key: VaultKey) -> None:
    vault = EncryptedLocalVault.create(path, key)
    await vault.store("alias", "value")
    hidden = path.rename(path.with_name("elsewhere"))
    with pytest.raises(VaultUnavailableError):
        await vault.resolve("alias")
    with pytest.raises(VaultUnavailableError):
        await vault.store("other", "value")
    assert not path.exists()
    hidden.rename(path)
    assert await vault.resolve("alias") == "value"


async def test_a_writer_that_never_lets_go_is_reported_and_does_not_stop_readers(path: Path, key: VaultKey) -> None:
    vault = EncryptedLocalVault.create(path, key, lock_timeout_seconds=0.05)
    await vault.store("alias", "value")
    with path.with_name(path.name + ".lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(VaultUnavailableError, match="locked"):
            await vault.store("alias", "other")
        assert await vault.resolve("alias") == "value"
    await vault.store("alias", "other")
    assert await vault.resolve("alias") == "other"


async def test_the_remains_of_a_killed_writer_are_cleared_away(path: Path, key: VaultKey) -> None:
    vault = EncryptedLocalVault.create(path, key)
    path.with_name(path.name + ".new").write_bytes(b"half a vau")
    await vault.store("alias", "value")
    assert await vault.resolve("alias") == "value"
    assert {file.name for file in path.parent.iterdir()} == {path.name, path.name + ".lock"}


async def test_no_error_shows_a_secret_or_a_path(path: Path, key: VaultKey) -> None:
    vault = EncryptedLocalVault.create(path, key)
    await vault.store("alias", PLANTED)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(VaultForbiddenError) as damaged:
        await vault.resolve("alias")
    path.unlink()
    with pytest.raises(VaultUnavailableError) as gone:
        await vault.resolve("alias")
    for text in (str(damaged.value), str(gone.value), repr(vault)):
        assert PLANTED not in text
        assert str(path.parent) not in text


def run_worker(path: Path, key: VaultKey, *arguments: str) -> subprocess.Popen[str]:
    """A real process that writes to the vault; it tells each acknowledged write on its standard output."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.unit.vault_adapters.vault_worker", str(path), *arguments],
        env={**os.environ, "VAULT_WORKER_KEY": key.to_text()},
        stdout=subprocess.PIPE,
        text=True,
    )


async def test_a_disk_that_is_full_keeps_what_was_there(path: Path, key: VaultKey) -> None:
    vault = EncryptedLocalVault.create(path, key)
    await vault.store("alias", PLANTED)
    before = path.read_bytes()
    with run_worker(path, key, "store-with-file-size-limit", "4096") as worker:
        told, _ = worker.communicate(timeout=30)
    assert (worker.returncode, told) == (0, "VaultUnavailable: Could not write the vault file: File too large.\n")
    assert path.read_bytes() == before
    assert {file.name for file in path.parent.iterdir()} == {path.name, path.name + ".lock"}


async def test_two_processes_that_write_at_once_lose_nothing(path: Path, key: VaultKey) -> None:
    vault = EncryptedLocalVault.create(path, key)
    workers = [run_worker(path, key, "store-many", name, "200") for name in ("control-plane", "data-plane")]
    for worker in workers:
        with worker:
            worker.communicate(timeout=60)
            assert worker.returncode == 0
    for name, number in itertools.product(("control-plane", "data-plane"), range(200)):
        assert await vault.resolve(f"{name}/{number}") == f"{name} value {number}"


async def test_kill_9_at_any_moment_loses_no_acknowledged_secret(path: Path, key: VaultKey) -> None:
    vault = EncryptedLocalVault.create(path, key)
    acknowledged: list[str] = []
    for round_number in range(5):
        with run_worker(path, key, "store-for-ever", f"round-{round_number}") as worker:
            assert worker.stdout is not None
            # No pause: the worker is anywhere in its next writes when the signal arrives.
            acknowledged += [worker.stdout.readline().strip() for _ in range(7 + 11 * round_number)]
            worker.kill()
            acknowledged += [line.strip() for line in worker.stdout if line.endswith("\n")]
        assert worker.returncode == -9
        for alias in acknowledged:
            assert await vault.resolve(alias) == f"value of {alias}"
        await vault.store("after", str(round_number))
        assert await vault.resolve("after") == str(round_number)


def test_processes_that_start_at_once_make_one_vault(path: Path, key: VaultKey) -> None:
    workers = [run_worker(path, key, "create") for _ in range(4)]
    for worker in workers:
        with worker:
            worker.communicate(timeout=60)
            assert worker.returncode == 0
    EncryptedLocalVault.open(path, key)


async def test_deleting_takes_the_secret_out_of_the_file(path: Path, key: VaultKey) -> None:
    vault = EncryptedLocalVault.create(path, key)
    empty = path.stat().st_size
    await vault.store("alias", "x" * 1000)
    assert path.stat().st_size > empty + 1000
    await vault.delete("alias")
    assert path.stat().st_size == empty
    with pytest.raises(SecretNotFoundError):
        await vault.resolve("alias")
