"""A clean environment, and configuration files in a folder of their own."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from connector_cli.main import app
from tests.unit.connector_cli.scripted_management import Script, scripted_management

MINIMAL = """
[participant]
id = "consumer"

[vault]
type = "local"
file = "vault.bin"
key_file = "vault.key"
"""

PUBLIC_KEY = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEQMFhUoj/30h6dane+Ix6Sl3gp3Wf
6MskUuw1Qlki/88GFJyAizDDufpqjKizaPOkniI69Fq5VaK7+eE4dV91vw==
-----END PUBLIC KEY-----
"""


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("CONNECTOR_", "AZURE_STORAGE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a configuration file and tells where."""

    def write(text: str = MINIMAL) -> Path:
        file = tmp_path / "connector.toml"
        file.write_text(text)
        return file

    return write


@pytest.fixture
def connector() -> Callable[..., Result]:
    """Runs the `connector` command in this process."""

    def run(*arguments: str | Path, stdin: str = "") -> Result:
        result = CliRunner().invoke(app, [str(a) for a in arguments], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def management(monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    with scripted_management() as script:
        monkeypatch.setenv("CONNECTOR_URL", script.url)
        monkeypatch.setenv("CONNECTOR_API_KEY", "the-key")
        yield script
