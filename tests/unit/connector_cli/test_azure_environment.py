"""AZURE_STORAGE_* variables: what they make of the settings, and what they contradict."""

from collections.abc import Callable
from pathlib import Path

import pytest

from connector_cli.azure_environment import environment_notices
from connector_cli.configuration import load_settings
from connector_cli.settings import ConnectorSettings
from tests.unit.connector_cli.conftest import MINIMAL
from tests.unit.connector_cli.test_configuration import problems_of

Written = Callable[..., Path]

KEY = "dG9wc2VjcmV0"
TEXT = f"AccountName=acme1;AccountKey={KEY};BlobEndpoint=http://127.0.0.1:10000/acme1"
LISTED = "[[storage.accounts]]\nname = '{name}'\nkey_alias = 'main'\n"


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, str]]:
    """Sets the variables by the ends of their names."""

    def setting(**values: str) -> dict[str, str]:
        found = {f"AZURE_STORAGE_{name}": value for name, value in values.items()}
        for name, value in found.items():
            monkeypatch.setenv(name, value)
        return found

    return setting


Environ = Callable[..., dict[str, str]]


def load(written: Written, text: str = "") -> ConnectorSettings:
    return load_settings(written(MINIMAL + text))


def test_they_describe_an_account_beside_those_of_the_file(written: Written, environ: Environ) -> None:
    environ(CONNECTION_STRING=f" {TEXT}\n", CONTAINER="logs")
    listed, found = load(written, LISTED.format(name="other")).storage.accounts
    assert listed.name == "other"
    assert (found.name, found.connection_string_env) == ("acme1", "AZURE_STORAGE_CONNECTION_STRING")
    assert (found.endpoint, found.default_container) == ("http://127.0.0.1:10000/acme1", "logs")


def test_the_endpoint_counts_before_that_of_the_string(written: Written, environ: Environ) -> None:
    environ(CONNECTION_STRING=TEXT, ENDPOINT="https://blobs.acme.example")
    (found,) = load(written).storage.accounts
    assert (found.endpoint, found.default_container) == ("https://blobs.acme.example", None)


def test_empty_variables_count_as_not_set(written: Written, environ: Environ) -> None:
    environ(CONNECTION_STRING="", CONTAINER=" ", ENDPOINT="")
    assert load(written).storage.accounts == ()


@pytest.mark.parametrize(
    ("values", "variable", "said"),
    [
        ({"CONTAINER": "logs"}, "CONTAINER", "CONNECTION_STRING is not"),
        ({"ENDPOINT": "https://acme.example"}, "ENDPOINT", "CONNECTION_STRING is not"),
        ({"CONNECTION_STRING": KEY}, "CONNECTION_STRING", "not a list of Key=value"),
        ({"CONNECTION_STRING": f"AccountName=acme1;AccountKey={KEY}!"}, "CONNECTION_STRING", "not base64"),
        ({"CONNECTION_STRING": "UseDevelopmentStorage=true"}, "CONNECTION_STRING", "development = true"),
        ({"CONNECTION_STRING": TEXT, "ENDPOINT": "acme.example"}, "ENDPOINT", "not an http or https address"),
        ({"CONNECTION_STRING": TEXT, "ENDPOINT": "https://acme.example?sig=dG9w"}, "ENDPOINT", "query"),
        ({"CONNECTION_STRING": TEXT, "ENDPOINT": f"https://{'a' * 300}"}, "ENDPOINT", "no Blob address"),
        ({"CONNECTION_STRING": f"{TEXT}{'a' * 300}"}, "CONNECTION_STRING", "no Blob address"),
        ({"CONNECTION_STRING": TEXT, "CONTAINER": "No_Container"}, "CONTAINER", "no container"),
    ],
)
def test_what_cannot_count_is_refused_by_name(
    written: Written, environ: Environ, values: dict[str, str], variable: str, said: str
) -> None:
    environ(**values)
    problems = problems_of(lambda: load(written))
    assert list(problems) == [f"AZURE_STORAGE_{variable}"]
    message = problems[f"AZURE_STORAGE_{variable}"]
    assert said in message
    assert "dG9w" not in message


def test_an_account_that_the_file_opens_too_is_refused(written: Written, environ: Environ) -> None:
    environ(CONNECTION_STRING=TEXT)
    problems = problems_of(lambda: load(written, LISTED.format(name="acme1")))
    assert "acme1, which [[storage.accounts]] opens as well" in problems["AZURE_STORAGE_CONNECTION_STRING"]


def test_development_storage_is_for_development(written: Written, environ: Environ) -> None:
    environ(CONNECTION_STRING="UseDevelopmentStorage=true")
    (found,) = load(written, "[storage]\ndevelopment = true\n").storage.accounts
    assert (found.name, found.endpoint) == ("devstoreaccount1", "http://127.0.0.1:10000/devstoreaccount1")


def test_what_counts_is_told_without_a_secret(written: Written, environ: Environ) -> None:
    found = environ(CONNECTION_STRING=TEXT, CONTAINER="logs", ACCOUNT="acme1", KEY=KEY)
    notices = list(environment_notices(load(written), found))
    assert len(notices) == 3
    assert "opens the storage account acme1 at http://127.0.0.1:10000/acme1" in notices[0]
    assert "'logs'" in notices[1]
    assert "AZURE_STORAGE_ACCOUNT, AZURE_STORAGE_KEY in the environment count for nothing" in notices[2]
    assert KEY not in "".join(notices)


def test_without_them_there_is_nothing_to_tell(written: Written) -> None:
    assert list(environment_notices(load(written, LISTED.format(name="acme1")), {})) == []
