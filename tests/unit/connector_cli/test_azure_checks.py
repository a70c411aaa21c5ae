"""What is wrong with storage accounts and identities is told before anything is opened; so is what is risky."""

from collections.abc import Callable
from pathlib import Path

import pytest

from connector_cli.account_key_warning import account_key_warning
from connector_cli.checks import check_for_connector, check_for_data_plane
from connector_cli.configuration import load_settings
from connector_cli.needed_secrets import secrets_of_connector, secrets_of_data_plane
from connector_cli.settings import ConnectorSettings
from entra_identity.settings import ClientSecretSettings, WorkloadIdentitySettings
from tests.unit.connector_cli.conftest import MINIMAL
from tests.unit.connector_cli.test_configuration import problems_of
from vault_adapters.settings import AppRoleLogin, HashiCorpVaultSettings

Written = Callable[..., Path]

OWN = "[azure_identities.own]\ntype = 'managed-identity'\n"
KEY_VAULT = "[participant]\nid = 'p'\n[vault]\ntype = 'azure-key-vault'\nurl = 'https://kv.example'\nidentity = '{}'\n"


def account(name: str, access: str) -> str:
    return f"[[storage.accounts]]\nname = '{name}'\n{access}\n"


def checked(written: Written, text: str) -> dict[str, str]:
    settings = load_settings(written(text if "[vault]" in text else MINIMAL + text))
    return problems_of(lambda: check_for_connector(settings))


def loaded(written: Written, text: str) -> ConnectorSettings:
    settings = load_settings(written(text if "[vault]" in text else MINIMAL + text))
    check_for_connector(settings)
    check_for_data_plane(settings)
    return settings


def test_identities_and_accounts_that_fit_together_are_fine(written: Written) -> None:
    settings = loaded(written, OWN + account("acme1", "identity = 'own'") + account("acme2", "key_alias = 'k'"))
    assert [each.name for each in settings.storage.accounts] == ["acme1", "acme2"]
    loaded(written, KEY_VAULT.format("own") + OWN)


def test_an_account_stands_there_once(written: Written) -> None:
    problems = checked(written, account("acme1", "key_alias = 'k'") * 2)
    assert problems == {"storage.accounts[1].name": "storage.accounts[1].name: names the storage account acme1 twice."}


@pytest.mark.parametrize("access", ["", "identity = 'own'\nkey_alias = 'k'", "key_alias = 'k'\nendpoint = 'acme'"])
def test_an_account_is_opened_in_exactly_one_way_at_an_address(written: Written, access: str) -> None:
    problems = problems_of(lambda: load_settings(written(MINIMAL + OWN + account("acme1", access))))
    assert set(problems) <= {"storage.accounts[0]", "storage.accounts[0].endpoint"}


def test_an_identity_that_is_not_there_is_named(written: Written) -> None:
    problems = checked(written, OWN + account("acme1", "identity = 'onw'"))
    assert "'onw', which is not there. Did you mean 'own'?" in problems["storage.accounts[0].identity"]
    problems = checked(written, KEY_VAULT.format("other"))
    assert "Describe it in [azure_identities.other]." in problems["vault.identity"]


def test_the_vaults_own_identity_cannot_have_its_secret_there(written: Written) -> None:
    secret = "[azure_identities.own]\ntype = 'client-secret'\ntenant_id = 't'\nclient_id = 'c'\n{} = 'where'\n"
    problems = checked(written, KEY_VAULT.format("own") + secret.format("client_secret_alias"))
    assert "client_secret_file" in problems["azure_identities.own.client_secret_alias"]
    loaded(written, KEY_VAULT.format("own") + secret.format("client_secret_env"))
    loaded(written, secret.format("client_secret_alias"))


@pytest.mark.parametrize("url", ["http://storage.example/{account}", "http://10.0.0.1:10000/{account}"])
def test_signatures_do_not_cross_a_network_in_clear_text(written: Written, url: str) -> None:
    template = f"[storage]\nendpoint_template = '{url}'\n"
    assert "development = true" in checked(written, template)["storage.endpoint_template"]
    loaded(written, template + "development = true\n")
    endpoint = account("acme1", f"key_alias = 'k'\nendpoint = '{url.replace('{account}', 'acme1')}'")
    assert set(checked(written, endpoint)) == {"storage.accounts.acme1.endpoint"}


@pytest.mark.parametrize("host", ["127.0.0.1:10000/{account}", "localhost/{account}", "{account}.blob.localhost:1"])
def test_this_machine_may_be_called_in_clear_text(written: Written, host: str) -> None:
    loaded(written, f"[storage]\nendpoint_template = 'http://{host}'\n")


def test_a_token_never_goes_over_clear_text(written: Written) -> None:
    text = "[storage]\nendpoint_template = 'http://127.0.0.1:1/{account}'\ndevelopment = true\n"
    problems = checked(written, OWN + text + account("acme1", "identity = 'own'"))
    assert "tokens are never sent in clear text" in problems["storage.accounts[0].identity"]
    loaded(written, OWN + text + account("acme1", "identity = 'own'\nendpoint = 'https://acme1.example'"))


def test_authorities_must_be_readable_certificates(written: Written, tmp_path: Path) -> None:
    (tmp_path / "none.pem").write_text("no certificate")
    text = "[storage]\nca_file = 'none.pem'\n" + OWN + "ca_file = 'missing.pem'\n"
    problems = checked(written, KEY_VAULT.format("own") + "ca_file = 'missing.pem'\n" + text)
    assert "holds no certificate" in problems["storage.ca_file"]
    assert f"{tmp_path}/missing.pem cannot be read" in problems["azure_identities.own.ca_file"]
    assert "cannot be read" in problems["vault.ca_file"]


def test_paths_are_relative_to_the_file_however_deep_they_stand(written: Written, tmp_path: Path) -> None:
    vault = (
        "[participant]\nid = 'p'\n[vault]\ntype = 'hashicorp'\nurl = 'https://vault.example'\nca_file = 'ca.pem'\n"
        "[vault.login]\nmethod = 'approle'\nrole_id = 'r'\nsecret_id_file = 'secret-id'\n"
    )
    identities = (
        "[azure_identities.pod]\ntype = 'workload-identity'\ntoken_file = '/var/run/token'\n"
        "[azure_identities.app]\ntype = 'client-secret'\ntenant_id = 't'\nclient_id = 'c'\nclient_secret_file = 's'\n"
    )
    settings = load_settings(written(vault + identities + "[storage]\nca_file = 'tls/ca.pem'\n"))
    assert isinstance(settings.vault, HashiCorpVaultSettings)
    assert isinstance(settings.vault.login, AppRoleLogin)
    assert settings.vault.ca_file == tmp_path / "ca.pem"
    assert settings.vault.login.secret_id_file == tmp_path / "secret-id"
    pod, app = settings.azure_identities["pod"], settings.azure_identities["app"]
    assert isinstance(pod, WorkloadIdentitySettings)
    assert pod.token_file == Path("/var/run/token")
    assert isinstance(app, ClientSecretSettings)
    assert app.client_secret_file == tmp_path / "s"
    assert settings.storage.ca_file == tmp_path / "tls/ca.pem"
    assert settings.storage.model_fields_set == {"ca_file"}


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        ("[[storage.accounts]]\nname = 'acme1'\nkey_alis = 'k'\n", "storage.accounts[0].key_alis", "'key_alias'"),
        ("[storage]\nca_fil = 'k'\n", "storage.ca_fil", "'ca_file'"),
        (OWN + "client_i = 'c'\n", "azure_identities.own.client_i", "'client_id'"),
        ("[azure_identities.own]\ntype = 'managed'\n", "azure_identities.own", "'managed-identity'"),
        ("[azure_identities.own]\n", "azure_identities.own", "'type'"),
        ("[data_plane.public]\nprt = 1\n", "data_plane.public.prt", "'port'"),
        ("[identity.oauth2]\nclient_idd = 'c'\n", "identity.oauth2.client_idd", "'client_id'"),
        ("[transfr]\n", "transfr", "'transfer'"),
    ],
)
def test_a_misspelt_key_is_told_where_it_stands(written: Written, text: str, key: str, said: str) -> None:
    assert said in problems_of(lambda: load_settings(written(MINIMAL + text)))[key]


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        ("type = 'hashicorp'\nurll = 'x'\n", "vault.urll", "'url'"),
        ("type = 'azure-key-vault'\nidentty = 'x'\n", "vault.identty", "'identity'"),
        ("type = 'local'\nurl = 'x'\n", "vault.url", "key_file"),
        (
            "type = 'hashicorp'\nurl = 'https://v'\n[vault.login]\nmethod = 'approle'\nrole_idd = 'x'\n",
            "vault.login.role_idd",
            "'role_id'",
        ),
        ("type = 'hashicorp'\nurl = 'https://v'\n[vault.login]\nmethod = 'paper'\n", "vault.login", "'approle'"),
    ],
)
def test_a_misspelt_key_of_a_vault_too(written: Written, text: str, key: str, said: str) -> None:
    assert said in problems_of(lambda: load_settings(written("[participant]\nid = 'p'\n[vault]\n" + text)))[key]


def test_the_secrets_that_accounts_and_identities_need(written: Written) -> None:
    text = (
        account("acme1", "key_alias = 'main'")
        + account("acme2", "connection_string_alias = 'string'")
        + account("acme3", "identity = 'app'")
        + "[azure_identities.app]\ntype = 'client-secret'\ntenant_id = 't'\nclient_id = 'c'\n"
        + "client_secret_alias = 's'\n"
    )
    settings = loaded(written, text)
    wanted = {
        "storage.accounts[0].key_alias": "main",
        "storage.accounts[1].connection_string_alias": "string",
        "azure_identities.app.client_secret_alias": "s",
    }
    for found in (secrets_of_connector(settings), secrets_of_data_plane(settings)):
        assert found.items() >= wanted.items()
        assert not [alias for alias in found.values() if not alias]


def test_keys_are_warned_about_by_account(written: Written) -> None:
    text = (
        OWN
        + account("acme1", "key_alias = 'main'")
        + account("acme2", "connection_string_alias = 'string'")
        + account("acme3", "identity = 'own'")
    )
    aliases = ["acme3", "acme4", "acme5-key1", "main-key", "participant-signing-key", "api"]
    warning = account_key_warning(loaded(written, text), aliases)
    assert warning is not None
    assert warning.startswith("opened by an account key or connection string: acme1, acme2, acme4, acme5, api. ")
    assert "[[storage.accounts]]" in warning


def test_there_is_no_warning_where_there_is_no_key_or_keys_are_all_right(written: Written) -> None:
    settings = loaded(written, OWN + account("acme1", "identity = 'own'"))
    assert account_key_warning(settings, ["acme1", "participant-signing-key"]) is None
    settings = loaded(written, "[storage]\ndevelopment = true\n" + account("acme1", "key_alias = 'main'"))
    assert account_key_warning(settings, ["acme2"]) is None
