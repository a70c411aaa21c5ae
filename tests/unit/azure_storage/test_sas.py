import json
from datetime import UTC, datetime

import pytest

from azure_storage.errors import SasMalformedError
from azure_storage.sas import SasToken

QUERY = "sv=2026-10-06&se=2030-01-02T03%3A04%3A05Z&sr=c&sp=w&sig=c2lnbmF0dXJl%3D"
END = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_the_vault_form_is_edcs_json_with_all_three_members() -> None:
    secret = json.loads(SasToken(QUERY, END).to_secret())
    assert secret == {
        "edctype": "dataspaceconnector:azuretoken",
        "sas": f"?{QUERY}",
        "expiration": int(END.timestamp() * 1000),
    }


def test_a_token_survives_the_vault() -> None:
    for token in (SasToken(QUERY, END), SasToken("si=policy&sr=c&sig=x", END), SasToken("si=policy&sr=c&sig=x")):
        assert SasToken.from_secret(token.to_secret()) == token


@pytest.mark.parametrize(
    "text", [QUERY, f"?{QUERY}", f" ?{QUERY}\n", json.dumps({"sas": QUERY}), json.dumps({"sas": "?" + QUERY})]
)
def test_older_and_bare_forms_are_read(text: str) -> None:
    assert SasToken.from_secret(text) == SasToken(QUERY, END)


@pytest.mark.parametrize(
    "members",
    [
        {"edctype": "dataspaceconnector:azuretoken", "expiration": 1893553445000},  # EDC up to 0.15
        {"expiration": 1893553445000},
        {},  # EDC from 0.16
        {"edctype": "dataspaceconnector:azuretoken"},
        {"edctype": "another:token", "expiration": None},
        {"container": "unknown members are passed over"},
    ],
)
def test_every_shape_that_an_edc_writes_is_read(members: dict[str, object]) -> None:
    assert SasToken.from_secret(json.dumps({"sas": f"?{QUERY}", **members})) == SasToken(QUERY, END)


def test_the_end_that_the_signature_states_wins_over_the_member_beside_it() -> None:
    assert SasToken.from_secret(json.dumps({"sas": QUERY, "expiration": 1})).expires_at == END


def test_a_token_bound_to_a_policy_takes_its_end_from_the_member() -> None:
    token = SasToken.from_secret(json.dumps({"sas": "?si=p&sr=c&sig=x", "expiration": 1_000}))
    assert token.expires_at == datetime.fromtimestamp(1, UTC)
    assert token.permissions == ""


def test_the_permissions_are_read_from_the_query() -> None:
    assert SasToken(QUERY).permissions == "w"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "topsecret",
        "{topsecret",
        '{"edctype": "topsecret"}',
        '{"sas": 5}',
        "sv=1&sp=topsecret",
        "sig=topsecret&comp=acl",
        "sig=topsecret&restype=container",
        "sig=topsecret&snapshot=2026",
        "sig=topsecret&sig=topsecret",
        "sig=topsecret#fragment",
        "sig=top secret",
        "sig=topsecret\r\nHost: evil",
        "sig=topsecret&se=tomorrow",
        "sig=" + "topsecret" * 1000,
        '{"sas": "?sig=topsecret", "expiration": 1e300}',
    ],
)
def test_what_is_no_signature_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(SasMalformedError) as refused:
        SasToken.from_secret(text)
    assert "topsecret" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_neither_token_nor_signed_url_show_the_signature() -> None:
    token = SasToken(QUERY, END)
    signed = token.applied_to("https://acme1.example/data/a%20b")
    for shown in (repr(token), str(token), repr(signed), str(signed), f"{signed}", signed.resource):
        assert "c2lnbmF0dXJl" not in shown
        assert "sv=2026" not in shown


def test_a_signed_url_puts_further_parameters_behind_the_signature() -> None:
    signed = SasToken(QUERY).applied_to("https://acme1.example/data/a%20b")
    assert signed.secret_text("comp=block") == f"https://acme1.example/data/a%20b?{QUERY}&comp=block"
    assert signed.resource == "data/a b"
