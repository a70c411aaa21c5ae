"""The key of the embedded vault: where it may come from, and what is refused."""

import stat
from pathlib import Path

import pytest

from connector_spi.errors import ConfigurationError, ConflictError
from vault_adapters.local import VaultKey, create_key_file, read_key_file


def test_a_created_key_file_is_private_and_holds_the_key(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "vault.key"
    key = create_key_file(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]
    assert read_key_file(path) == (key,)


def test_a_key_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "vault.key"
    key = create_key_file(path)
    with pytest.raises(ConflictError, match=r"vault\.key"):
        create_key_file(path)
    assert read_key_file(path) == (key,)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o660, 0o610])
def test_a_key_file_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "vault.key"
    key = create_key_file(path)
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match=rf"vault\.key_file: .*mode {mode:04o}.*chmod 600") as raised:
        read_key_file(path)
    assert key.to_text() not in str(raised.value)


def test_a_key_file_that_even_the_owner_may_only_read_is_fine(tmp_path: Path) -> None:
    path = tmp_path / "vault.key"
    key = create_key_file(path)
    path.chmod(0o400)
    assert read_key_file(path) == (key,)


def test_a_missing_key_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"vault\.key_file: .*absent\.key does not exist"):
        read_key_file(tmp_path / "absent.key")


def test_a_folder_is_no_key_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"vault\.key_file: .*cannot be read"):
        read_key_file(tmp_path)


def test_a_key_file_in_an_impossible_place_is_an_error_of_configuration(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"vault\.key_file: .*cannot be written"):
        create_key_file(tmp_path / "file" / "vault.key")


@pytest.mark.parametrize("text", ["", "short", "A" * 43, "A" * 44, "A" * 88, "schlüssel" * 5, "%" * 44])
def test_text_that_is_no_key_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^vault\.key_env: is not a vault key") as raised:
        VaultKey.parse(text, setting="vault.key_env")
    assert not text or text not in str(raised.value)


def test_the_text_form_may_have_a_line_end() -> None:
    key = VaultKey.generate()
    assert VaultKey.parse(key.to_text() + "\r\n", setting="vault.key_env") == key


def test_two_keys_differ_and_no_repr_shows_one() -> None:
    key = VaultKey.generate()
    assert key != VaultKey.generate()
    assert repr(key) == "VaultKey()"
