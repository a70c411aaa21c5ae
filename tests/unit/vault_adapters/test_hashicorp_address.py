"""Secrets are sent over TLS, or within this machine."""

from pathlib import Path
from typing import Any

import pytest

from connector_spi.errors import ConfigurationError
from vault_adapters.hashicorp.address import check_address
from vault_adapters.settings import HashiCorpVaultSettings


def settings(**changes: Any) -> HashiCorpVaultSettings:
    table = {"type": "hashicorp", "url": "https://vault.example.org", "login": {"method": "token", "token_env": "T"}}
    return HashiCorpVaultSettings.model_validate(table | changes)


@pytest.mark.parametrize(
    "url",
    [
        "https://vault.example.org",
        "https://vault.example.org:8200/prefix",
        "http://127.0.0.1:8200",
        "http://127.8.8.8:8200",
        "http://[::1]:8200",
        "http://localhost:8200",
    ],
)
def test_safe_addresses_are_taken(url: str) -> None:
    check_address(settings(url=url))


@pytest.mark.parametrize(
    "url",
    [
        "http://vault.example.org",
        "http://10.0.0.1:8200",
        "http://localhost.example.org",
        "http://127.0.0.1.example.org",
        "http://0.0.0.0:8200",
        "https://user:planted-7f1e@vault.example.org",
        "https://vault.example.org:port",
        "https://:8200",
    ],
)
def test_other_addresses_are_refused_and_no_password_is_shown(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"vault\.url") as raised:
        check_address(settings(url=url))
    assert "planted" not in f"{raised.value!r}"


@pytest.mark.parametrize("path", ["..", "a/../b", "./a", "a//b", "/"])
@pytest.mark.parametrize("setting", ["mount", "folder"])
def test_a_path_stays_where_it_says(setting: str, path: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"vault\.{setting}"):
        check_address(settings(**{setting: path}))


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_authorities_that_cannot_be_read_are_named(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigurationError, match=r"vault\.ca_file"):
        check_address(settings(ca_file=file))
