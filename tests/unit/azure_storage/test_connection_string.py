"""Connection strings as they are copied, and what is wrong with others; the SDK reads the same out of them."""

import pytest
from azure.storage.blob import BlobServiceClient

from azure_storage.connection_string import ConnectionString, ConnectionStringMalformedError

KEY = "dG9wc2VjcmV0"
"""base64 of `topsecret`, so that a message that shows either can be told."""
PORTAL = f"DefaultEndpointsProtocol=https;AccountName=acme1;AccountKey={KEY};EndpointSuffix=core.windows.net"
AZURITE = f"AccountName=acme1;AccountKey={KEY};BlobEndpoint=http://127.0.0.1:10000/acme1;QueueEndpoint=http://q/acme1"


def parsed(text: str) -> ConnectionString:
    return ConnectionString.parse(text, source="the test")


def test_the_string_of_the_portal() -> None:
    assert parsed(PORTAL) == ConnectionString("acme1", KEY, "https://acme1.blob.core.windows.net")


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        (AZURITE, "http://127.0.0.1:10000/acme1"),
        (PORTAL.replace("core.windows.net", "core.chinacloudapi.cn"), "https://acme1.blob.core.chinacloudapi.cn"),
        (PORTAL.replace("=https;", "=http;"), "http://acme1.blob.core.windows.net"),
        (f"{PORTAL};BlobEndpoint=https://blobs.acme.example/", "https://blobs.acme.example"),
        (f"AccountName=acme1;AccountKey={KEY};EndpointSuffix=x.example", "https://acme1.blob.x.example"),
    ],
)
def test_the_address_is_the_one_that_the_sdk_uses(text: str, endpoint: str) -> None:
    assert parsed(text).blob_endpoint == endpoint
    assert BlobServiceClient.from_connection_string(text).url.rstrip("/") == endpoint


def test_without_an_address_the_template_counts() -> None:
    assert parsed(f"AccountName=acme1;AccountKey={KEY}") == ConnectionString("acme1", KEY, None)


@pytest.mark.parametrize(
    "text",
    [
        f"  {PORTAL}\r\n",
        f'"{PORTAL}"',
        f"'{PORTAL};'",
        f"\ufeff{PORTAL};",
        PORTAL.replace(";", ";\n  "),
        PORTAL[:70] + "\r\n" + PORTAL[70:],
        PORTAL.replace("AccountName", "accountname").replace("AccountKey", "ACCOUNTKEY"),
    ],
)
def test_what_copying_adds_does_no_harm(text: str) -> None:
    assert parsed(text) == parsed(PORTAL)


def test_a_key_keeps_its_padding() -> None:
    assert parsed("AccountName=acme1;AccountKey=a2V5LW9uZQ==").account_key == "a2V5LW9uZQ=="


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is empty"),
        (" \n", "it is empty"),
        (KEY, "not a list of Key=value"),
        (f"topsecret;{PORTAL}", "not a list of Key=value"),
        (PORTAL + ";topsecret" * 500, "longer than 4096"),
        (f"AccountKey={KEY}", "AccountName is missing"),
        (f"AccountName=Top.secret;AccountKey={KEY}", "AccountName is not"),
        (f"AccountName={KEY}topsecret;AccountKey={KEY}", "AccountName is not"),
        ("AccountName=acme1", "AccountKey is missing"),
        ("AccountName=acme1;AccountKey=", "AccountKey is missing"),
        ("AccountName=acme1;AccountKey=topsecret!", "AccountKey is not base64"),
        (f"{PORTAL};accountkey={KEY}", "names a key twice"),
        (f"{AZURITE.replace('http:', 'ftp:')}", "BlobEndpoint is not an http or https address"),
        (f"{PORTAL};BlobEndpoint=https://acme1?sig=topsecret", "BlobEndpoint must not hold"),
        (PORTAL.replace("=https;", "=topsecret;"), "DefaultEndpointsProtocol/EndpointSuffix is not"),
        ("BlobEndpoint=https://acme1;SharedAccessSignature=sig=topsecret", "SharedAccessSignature cannot sign"),
        ("UseDevelopmentStorage=true", "for development alone"),
    ],
)
def test_what_is_wrong_is_named_and_never_shown(text: str, said: str) -> None:
    with pytest.raises(ConnectionStringMalformedError, match=said) as refused:
        parsed(text)
    shown = str(refused.value)
    assert shown.startswith("The connection string in the test cannot be used: ")
    assert "topsecret" not in shown.lower()
    assert KEY not in shown
    assert refused.value.__cause__ is None


def test_development_storage_is_azurites_account() -> None:
    found = ConnectionString.parse("UseDevelopmentStorage=true", development=True)
    assert (found.account_name, found.blob_endpoint) == ("devstoreaccount1", "http://127.0.0.1:10000/devstoreaccount1")
    sdk = BlobServiceClient.from_connection_string("UseDevelopmentStorage=true")
    assert sdk.url.rstrip("/") == found.blob_endpoint
    assert sdk.credential.account_key == found.account_key


def test_its_repr_shows_no_key() -> None:
    assert KEY not in repr(parsed(PORTAL))
    assert "acme1" in repr(parsed(PORTAL))
