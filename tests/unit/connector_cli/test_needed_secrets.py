"""Which secrets must be in the vault, and what an authorization lacks; each is told by its setting."""

from collections.abc import Callable
from pathlib import Path

import pytest

from connector_cli.checks import check_for_connector, check_for_data_plane
from connector_cli.configuration import InvalidConfigurationError, load_settings
from connector_cli.needed_secrets import check_secrets, secrets_of_connector, secrets_of_data_plane
from tests.unit.connector_cli.conftest import MINIMAL
from vault_adapters.memory import InMemoryVault

Written = Callable[..., Path]

SIGNED = """
[data_plane]
signaling_token_alias = ""
[data_plane.control_plane_tokens]
control_plane_id = "edc"
jwks_uri = "https://edc.example/jwks"
token_endpoint = "https://idp.example/token"
client_id = "us"
client_secret_alias = "client-secret"
"""
REGISTRATION = """
[[data_plane.registrations]]
url = "https://edc.example/management/v4/dataplanes"
endpoint = "https://data.example/dataflows"
api_key_alias = "edc-key"
"""


def test_those_of_a_connector(written: Written) -> None:
    planes = "[[data_planes]]\nid = 'd'\nurl = 'http://127.0.0.1:1'\n"
    assert secrets_of_connector(load_settings(written(MINIMAL + planes))) == {
        "identity.signing_key_alias": "participant-signing-key",
        "management.api_key_alias": "management-api-key",
        "data_planes[0].token_alias": "signaling-token",
    }
    open_to_all = load_settings(written(MINIMAL + "[management]\ninsecure_no_auth = true\n"))
    assert list(secrets_of_connector(open_to_all)) == ["identity.signing_key_alias"]


OAUTH2 = """
[identity]
mode = "oauth2"
[identity.oauth2]
token_endpoint = "https://idp.example/token"
client_id = "us"
client_secret_alias = "idp-secret"
issuer = "https://idp.example"
jwks_uri = "https://idp.example/jwks"
"""


def test_those_of_an_identity(written: Written) -> None:
    """Whoever signs no message needs no key for it, unless the embedded data plane signs its receipts with it."""
    oauth2 = load_settings(written(MINIMAL + OAUTH2))
    check_for_connector(oauth2)
    assert list(secrets_of_connector(oauth2)) == [
        "identity.oauth2.client_secret_alias",
        "management.api_key_alias",
    ]
    embedded = load_settings(written("embedded_data_plane = true\n" + MINIMAL + OAUTH2))
    assert "identity.signing_key_alias" in secrets_of_connector(embedded)
    lab = load_settings(written(MINIMAL + "[identity]\nmode = 'client-id'\nallow_insecure_client_id = true\n"))
    check_for_connector(lab)
    assert list(secrets_of_connector(lab)) == ["management.api_key_alias"]


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("[identity]\nmode = 'client-id'\n", "identity.mode"),
        ("[identity]\nmode = 'oauth2'\n", "identity.oauth2"),
        ("[identity]\nmode = 'dcp-id-token'\n", "participant.id"),
        ("[[counterparties]]\nid = 'p'\n", "counterparties[0].public_key"),
    ],
)
def test_an_identity_that_cannot_work_is_found_by_the_check(written: Written, text: str, setting: str) -> None:
    with pytest.raises(InvalidConfigurationError) as refusal:
        check_for_connector(load_settings(written(MINIMAL + text)))
    assert [problem.key for problem in refusal.value.problems] == [setting]


def test_those_of_an_embedded_data_plane_belong_to_the_connector(written: Written) -> None:
    text = "embedded_data_plane = true\n" + MINIMAL
    assert "data_plane.receipt_signing_key_alias" not in secrets_of_connector(load_settings(written(text)))
    other = load_settings(written(text + "[data_plane]\nreceipt_signing_key_alias = 'other'\n" + REGISTRATION))
    wanted = secrets_of_connector(other)
    assert wanted["data_plane.receipt_signing_key_alias"] == "other"
    assert wanted["data_plane.registrations[0].api_key_alias"] == "edc-key"
    assert "data_plane.signaling_token_alias" not in wanted


def test_those_of_a_data_plane_with_a_shared_token(written: Written) -> None:
    assert secrets_of_data_plane(load_settings(written(MINIMAL + REGISTRATION))) == {
        "data_plane.signaling_token_alias": "signaling-token",
        "data_plane.callback_token_alias": "signaling-token",
        "data_plane.receipt_signing_key_alias": "participant-signing-key",
        "data_plane.registrations[0].api_key_alias": "edc-key",
    }


def test_signed_tokens_take_the_place_of_the_shared_one(written: Written) -> None:
    settings = load_settings(written(MINIMAL + SIGNED))
    check_for_data_plane(settings)
    assert secrets_of_data_plane(settings) == {
        "data_plane.receipt_signing_key_alias": "participant-signing-key",
        "data_plane.control_plane_tokens.client_secret_alias": "client-secret",
    }


@pytest.mark.parametrize(
    ("left_out", "missing"),
    [
        ('control_plane_id = "edc"', "data_plane.signaling_token_alias"),
        ('jwks_uri = "https://edc.example/jwks"', "data_plane.control_plane_tokens.jwks_uri"),
        ('client_id = "us"', "data_plane.control_plane_tokens.client_id"),
        ('client_secret_alias = "client-secret"', "data_plane.control_plane_tokens.client_secret_alias"),
    ],
)
def test_what_an_authorization_lacks_is_named(written: Written, left_out: str, missing: str) -> None:
    settings = load_settings(written(MINIMAL + SIGNED.replace(left_out, "")))
    with pytest.raises(InvalidConfigurationError) as refusal:
        check_for_data_plane(settings)
    assert [problem.key for problem in refusal.value.problems] == [missing]


def test_a_registration_that_hands_out_tokens_needs_all_of_it(written: Written) -> None:
    settings = load_settings(written(MINIMAL + REGISTRATION + "token_endpoint = 'https://idp.example/token'\n"))
    with pytest.raises(InvalidConfigurationError) as refusal:
        check_for_data_plane(settings)
    assert [problem.key.rpartition(".")[2] for problem in refusal.value.problems] == [
        "client_id",
        "client_secret_alias",
    ]


async def test_what_the_vault_lacks_is_named_by_setting_with_the_remedy(written: Written) -> None:
    settings = load_settings(written(MINIMAL))
    with pytest.raises(InvalidConfigurationError) as refusal:
        await check_secrets(settings, InMemoryVault({"signaling-token": "x"}), secrets_of_data_plane(settings))
    [problem] = refusal.value.problems
    assert problem.key == "data_plane.receipt_signing_key_alias"
    assert "'participant-signing-key'" in problem.message
    assert "connector identity create" in problem.message


class _ListsNothing(InMemoryVault):
    """As a Key Vault does with secrets that an operator put into it by hand."""

    async def aliases(self, prefix: str = "") -> list[str]:
        return []


async def test_a_secret_that_the_vault_has_and_does_not_list_is_there(written: Written) -> None:
    settings = load_settings(written(MINIMAL))
    held = dict.fromkeys(secrets_of_data_plane(settings).values(), "x")
    await check_secrets(settings, _ListsNothing(held), secrets_of_data_plane(settings))
