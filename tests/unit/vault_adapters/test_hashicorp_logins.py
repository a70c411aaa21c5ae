"""Where the credential of a login comes from."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from connector_spi.errors import ConfigurationError
from vault_adapters.hashicorp.logins import ByAppRole, ByJwt, ByKubernetes, ByToken, Credential, login_of
from vault_adapters.settings import VaultLogin


def parsed(**table: Any) -> VaultLogin:
    return TypeAdapter[VaultLogin](VaultLogin).validate_python(table)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "credential"
    path.write_text("  s.credential\n")
    return path


def test_the_method_chooses_the_login(file: Path) -> None:
    environ = {"CREDENTIAL": "s.credential"}
    by_token = login_of(parsed(method="token", token_env="CREDENTIAL"), environ)
    by_role = login_of(parsed(method="approle", role_id="role", secret_id_file=file, mount="team/approle"), {})
    by_pod = login_of(parsed(method="kubernetes", role="connector", token_file=file), {})
    by_jwt = login_of(parsed(method="jwt", role="connector", token_file=file, mount="oidc"), {})
    assert isinstance(by_token, ByToken)
    assert isinstance(by_role, ByAppRole)
    assert isinstance(by_pod, ByKubernetes)
    assert isinstance(by_jwt, ByJwt)
    assert (by_role.mount, by_pod.mount, by_jwt.mount) == ("team/approle", "kubernetes", "oidc")
    assert by_token.credential.read() == by_role.credential.read() == by_jwt.credential.read() == "s.credential"


def test_a_file_is_read_anew_each_time(file: Path) -> None:
    credential = Credential("vault.login.token_file", file, {})
    assert credential.read() == "s.credential"
    file.write_text("s.renewed")
    assert credential.read() == "s.renewed"


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ({"method": "token", "token_env": "ABSENT"}, "vault.login.token_env"),
        ({"method": "token", "token_file": "absent"}, "vault.login.token_file"),
        ({"method": "approle", "role_id": "role", "secret_id_env": "ABSENT"}, "vault.login.secret_id_env"),
        ({"method": "approle", "role_id": "role", "secret_id_file": "absent"}, "vault.login.secret_id_file"),
        ({"method": "kubernetes", "role": "role", "token_file": "absent"}, "vault.login.token_file"),
        ({"method": "jwt", "role": "role", "token_file": "absent"}, "vault.login.token_file"),
    ],
)
def test_a_missing_credential_is_named_by_its_setting(table: dict[str, str], key: str) -> None:
    with pytest.raises(ConfigurationError, match=key) as raised:
        login_of(parsed(**table), {})
    assert raised.value.key == key


@pytest.mark.parametrize("text", ["", " \n", "two words", "a\nb", "planted-7f1e\x00", "planted-7f1e-ä"])
def test_what_cannot_be_a_credential_is_refused_and_not_shown(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigurationError) as raised:
        login_of(parsed(method="token", token_file=file), {})
    assert "planted" not in f"{raised.value!r} {vars(raised.value)}"


def test_no_repr_shows_a_credential() -> None:
    environ = {"CREDENTIAL": "planted-7f1e"}
    assert "planted" not in repr(login_of(parsed(method="token", token_env="CREDENTIAL"), environ))
