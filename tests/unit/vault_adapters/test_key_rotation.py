"""A vault gets a new key: running processes go on, and whatever is killed when, a known key opens the vault."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from connector_spi.errors import ConfigurationError, VaultForbiddenError
from vault_adapters.local import (
    EncryptedLocalVault,
    KeyRing,
    VaultKey,
    create_key_file,
    parse_keys,
    read_key_file,
    rotate_key_file,
    seal_with_first,
)
from vault_adapters.local.errors import VaultKeyAwaitedError, VaultKeyUnknownError
from vault_adapters.local.key import replace_key_file
from vault_adapters.local.sealing import Sealer

PLANTED = "planted-5e1f-secret"


class Files:
    """A vault with one secret, and its key file."""

    def __init__(self, folder: Path) -> None:
        self.vault, self.key_file = folder / "vaults" / "vault", folder / "keys" / "vault.key"
        self.key = create_key_file(self.key_file)

    @classmethod
    async def made(cls, folder: Path) -> "Files":
        files = cls(folder)
        await EncryptedLocalVault.create(files.vault, files.key).store("alias", PLANTED)
        return files

    def opened(self) -> EncryptedLocalVault:
        """As a process opens it that starts now."""
        return EncryptedLocalVault.open(self.vault, KeyRing(lambda: read_key_file(self.key_file)))

    def seal(self, key: VaultKey, secrets: dict[str, str]) -> None:
        self.vault.write_bytes(Sealer(key).seal(secrets))

    def leftovers(self) -> list[str]:
        folders = (self.vault.parent, self.key_file.parent)
        known = {self.vault.name, f"{self.vault.name}.lock", self.key_file.name}
        return sorted(file.name for folder in folders for file in folder.iterdir() if file.name not in known)


@pytest.fixture
async def files(tmp_path: Path) -> Files:
    return await Files.made(tmp_path)


async def test_a_rotation_changes_the_key_and_nothing_else(files: Files) -> None:
    done = rotate_key_file(files.vault, files.key_file)
    (new,) = read_key_file(files.key_file)
    assert (new == files.key, done.was_begun, files.leftovers()) == (False, False, [])
    assert await EncryptedLocalVault.open(files.vault, new).resolve("alias") == PLANTED
    with pytest.raises(VaultForbiddenError, match="another key"):
        EncryptedLocalVault.open(files.vault, files.key)
    assert files.key_file.stat().st_mode & 0o777 == 0o600
    assert files.vault.stat().st_mode & 0o777 == 0o600


async def test_a_process_that_was_there_before_goes_on_reading_and_writing(files: Files) -> None:
    running, other = files.opened(), files.opened()
    for number in range(3):
        rotate_key_file(files.vault, files.key_file)
        assert await running.resolve("alias") == PLANTED
        rotate_key_file(files.vault, files.key_file)
        await running.store("alias", PLANTED)
        await running.store(f"stored-{number}", "value")
        assert await other.resolve(f"stored-{number}") == "value"
    (new,) = read_key_file(files.key_file)
    assert await EncryptedLocalVault.open(files.vault, new).aliases("stored-") == ["stored-0", "stored-1", "stored-2"]


@contextmanager
def new_key_is_in_the_key_file(files: Files) -> Iterator[VaultKey]:
    """The state after the first step."""
    new = VaultKey.generate()
    replace_key_file(files.key_file, (new, files.key))
    yield new


async def test_between_the_steps_old_and_new_processes_read_and_write(files: Files) -> None:
    before = files.opened()
    with new_key_is_in_the_key_file(files) as new:
        during = files.opened()
        for vault in (before, during, files.opened()):
            await vault.store("alias", PLANTED)
            assert await vault.resolve("alias") == PLANTED
        assert Sealer(files.key).has_sealed(files.vault.read_bytes()), (
            "a writer changed the key: that is the rotation's"
        )
        files.seal(new, {"alias": PLANTED})
        for vault in (before, during, files.opened()):
            await vault.store("alias", PLANTED)
            assert await vault.resolve("alias") == PLANTED
        assert Sealer(new).has_sealed(files.vault.read_bytes())
    replace_key_file(files.key_file, (new,))
    for vault in (before, during, files.opened()):
        assert await vault.resolve("alias") == PLANTED


@pytest.mark.parametrize("sealed_anew", [False, True], ids=["killed after step 1", "killed after step 2"])
async def test_an_interrupted_rotation_is_ended_by_the_next_one(files: Files, sealed_anew: bool) -> None:
    with new_key_is_in_the_key_file(files) as new:
        if sealed_anew:
            files.seal(new, {"alias": PLANTED})
    # What a killed writer may have left beside the files.
    files.vault.with_name(files.vault.name + ".new").write_bytes(b"half a vau")
    draft = files.key_file.with_name(files.key_file.name + ".new")
    draft.write_bytes(b"half a ke")
    assert rotate_key_file(files.vault, files.key_file).was_begun
    assert read_key_file(files.key_file) == (new,)
    assert await EncryptedLocalVault.open(files.vault, new).resolve("alias") == PLANTED
    assert not draft.exists()
    assert not rotate_key_file(files.vault, files.key_file).was_begun


async def test_a_key_file_of_another_vault_changes_nothing(files: Files) -> None:
    replace_key_file(files.key_file, (VaultKey.generate(),))
    before = files.vault.read_bytes(), files.key_file.read_bytes()
    with pytest.raises(VaultForbiddenError, match="another key"):
        rotate_key_file(files.vault, files.key_file)
    assert (files.vault.read_bytes(), files.key_file.read_bytes()) == before


async def test_a_damaged_vault_keeps_its_key(files: Files) -> None:
    files.vault.write_bytes(files.vault.read_bytes()[:-1] + b"?")
    with pytest.raises(VaultForbiddenError, match="damaged"):
        rotate_key_file(files.vault, files.key_file)
    assert read_key_file(files.key_file) == (files.key,)


async def test_a_vault_that_is_not_there_keeps_its_key(files: Files) -> None:
    files.vault.unlink()
    with pytest.raises(ConfigurationError, match=r"vault\.file"):
        rotate_key_file(files.vault, files.key_file)
    assert read_key_file(files.key_file) == (files.key,)


async def test_a_key_file_that_cannot_be_written_stops_it_before_anything_is_changed(files: Files) -> None:
    before = files.vault.read_bytes()
    # A folder in the draft's place: also the superuser cannot replace it by a file.
    files.key_file.with_name(files.key_file.name + ".new").mkdir()
    with pytest.raises(ConfigurationError, match=r"vault\.key_file: .*cannot be written"):
        rotate_key_file(files.vault, files.key_file)
    assert (files.vault.read_bytes(), read_key_file(files.key_file)) == (before, (files.key,))


async def test_with_keys_of_the_environment_the_first_one_is_sealed_with(files: Files) -> None:
    new = VaultKey.generate()
    keys = parse_keys(f"{new.to_text()} {files.key.to_text()}", setting="vault.key_env")
    running = EncryptedLocalVault.open(files.vault, KeyRing(lambda: keys))
    for _ in range(2):
        seal_with_first(files.vault, keys)
        await running.store("alias", PLANTED)
        assert await EncryptedLocalVault.open(files.vault, new).resolve("alias") == PLANTED


async def test_a_running_process_whose_key_file_is_gone_says_so(files: Files) -> None:
    running = files.opened()
    rotate_key_file(files.vault, files.key_file)
    files.key_file.rename(files.key_file.with_name("away"))
    with pytest.raises(VaultKeyAwaitedError, match=r"another key .*vault\.key_file cannot be read again"):
        await running.resolve("alias")
    files.key_file.with_name("away").rename(files.key_file)
    assert await running.resolve("alias") == PLANTED


async def test_a_running_process_without_the_new_key_waits_for_it(files: Files) -> None:
    keys = [files.key]
    running = EncryptedLocalVault.open(files.vault, KeyRing(lambda: keys))
    new = VaultKey.generate()
    seal_with_first(files.vault, (new, files.key))
    with pytest.raises(VaultKeyAwaitedError):
        await running.resolve("alias")
    with pytest.raises(VaultKeyAwaitedError):
        await running.store("alias", "other")
    with pytest.raises(VaultKeyUnknownError):
        EncryptedLocalVault.open(files.vault, files.key)
    keys.append(new)
    assert await running.resolve("alias") == PLANTED


def test_too_many_keys_are_refused_and_none_is_shown() -> None:
    text = " ".join(VaultKey.generate().to_text() for _ in range(9))
    with pytest.raises(ConfigurationError, match="9 keys") as raised:
        parse_keys(text, setting="vault.key_env")
    assert text[:20] not in str(raised.value)


def run_worker(files: Files, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.unit.vault_adapters.vault_worker", str(files.vault), *arguments],
        env={**os.environ, "VAULT_WORKER_KEY_FILE": str(files.key_file)},
        stdout=subprocess.PIPE,
        text=True,
    )


async def test_kill_9_at_any_moment_of_a_rotation_loses_nothing(files: Files) -> None:
    before = files.opened()
    begun = 0
    for number in range(12):
        with run_worker(files, "rotate-for-ever", str(files.key_file)) as worker:
            assert worker.stdout is not None
            worker.stdout.readline()
            try:
                # It rotates without a pause, so that it may be anywhere in a rotation.
                worker.wait(number * 0.004)
            except subprocess.TimeoutExpired:
                worker.kill()
        assert worker.returncode == -9
        for vault in (before, files.opened()):
            assert await vault.resolve("alias") == PLANTED
            await vault.store(f"stored-{number}", PLANTED)
        begun += rotate_key_file(files.vault, files.key_file).was_begun
        assert len(read_key_file(files.key_file)) == 1
        assert await files.opened().aliases("stored-") == sorted(f"stored-{n}" for n in range(number + 1))
    assert begun, "no kill met a rotation in the middle: the test looks at the wrong moments"


async def test_processes_that_write_while_others_rotate_lose_nothing(files: Files) -> None:
    writers = [run_worker(files, "store-many", name, "60") for name in ("control-plane", "data-plane")]
    with run_worker(files, "rotate-for-ever", str(files.key_file)) as rotating:
        for writer in writers:
            with writer:
                writer.communicate(timeout=60)
                assert writer.returncode == 0
        rotating.kill()
    vault = files.opened()
    for name in ("control-plane", "data-plane"):
        assert len(await vault.aliases(f"{name}/")) == 60
