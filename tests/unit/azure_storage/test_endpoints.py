from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azure_storage.endpoints import StorageEndpoints
from azure_storage.settings import AzureStorageSettings, StorageAccountSettings
from connector_spi.errors import ConfigurationError, InvalidInputError


def test_the_default_is_azures_public_cloud_over_tls() -> None:
    endpoints = StorageEndpoints()
    assert endpoints.account_url("acme1") == "https://acme1.blob.core.windows.net"
    assert endpoints.is_https("acme1")


@pytest.mark.parametrize("place", ["{account}", "%s"])
def test_own_and_edc_placeholders_mean_the_same(place: str) -> None:
    endpoints = StorageEndpoints(f"http://127.0.0.1:10000/{place}/")
    assert endpoints.container_url("acme1", "data") == "http://127.0.0.1:10000/acme1/data"
    assert not endpoints.is_https("acme1")


def test_blob_names_are_percent_encoded_and_keep_their_slashes() -> None:
    url = StorageEndpoints("https://{account}.example").blob_url("acme1", "data", "a b/Überblick?#%.txt")
    assert url == "https://acme1.example/data/a%20b/%C3%9Cberblick%3F%23%25.txt"


@given(st.text(min_size=1))
def test_no_blob_name_changes_host_or_query(name: str) -> None:
    parts = urlsplit(StorageEndpoints().blob_url("acme1", "data", name))
    assert (parts.netloc, parts.query, parts.fragment) == ("acme1.blob.core.windows.net", "", "")
    assert parts.path.startswith("/data/")


@pytest.mark.parametrize(
    "account", ["", "ab", "a" * 25, "Acme", "evil.example/", "a@b", "acme1\n", "acme-1", "169.254.169.254"]
)
def test_an_account_name_that_could_change_the_host_is_refused(account: str) -> None:
    with pytest.raises(InvalidInputError, match="account"):
        StorageEndpoints().account_url(account)


@pytest.mark.parametrize(
    "template",
    [
        "https://blob.example",
        "https://{account}.{account}.example",
        "https://{account}.{region}.example",
        "ftp://{account}.example",
        "{account}.example",
        "https://user@{account}.example",
        "https://{account}.example/?x=1",
    ],
)
def test_a_template_that_is_no_address_of_accounts_is_refused(template: str) -> None:
    with pytest.raises(ConfigurationError, match="endpoint_template"):
        StorageEndpoints(template)


def test_an_account_may_have_an_address_of_its_own() -> None:
    endpoints = StorageEndpoints(accounts={"acme1": "http://127.0.0.1:10000/acme1/"})
    assert endpoints.blob_url("acme1", "data", "a") == "http://127.0.0.1:10000/acme1/data/a"
    assert not endpoints.is_https("acme1")
    assert endpoints.account_url("acme2") == "https://acme2.blob.core.windows.net"
    assert endpoints.is_https("acme2")


def test_the_addresses_of_the_settings_are_taken() -> None:
    accounts = (
        StorageAccountSettings(name="acme1", key_alias="a", endpoint="https://acme1.blob.core.example"),
        StorageAccountSettings(name="acme2", key_alias="a"),
    )
    endpoints = StorageEndpoints.of(AzureStorageSettings(endpoint_template="https://{account}.x", accounts=accounts))
    assert endpoints.account_url("acme1") == "https://acme1.blob.core.example"
    assert endpoints.account_url("acme2") == "https://acme2.x"


@pytest.mark.parametrize("address", ["ftp://acme1", "https://", "https://user@host", "https://host?sig=topsecret"])
def test_an_address_that_is_none_names_its_account(address: str) -> None:
    with pytest.raises(ConfigurationError, match="acme1") as refused:
        StorageEndpoints(accounts={"acme1": address})
    assert "topsecret" not in str(refused.value)
