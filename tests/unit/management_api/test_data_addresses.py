"""No data address that a client writes may hold a secret, under whatever name and in whichever API."""

import base64
from typing import Any

import httpx
import pytest

from azure_storage.address import AzureBlobAddress
from tests.unit.management_api.fakes import ControlPlaneOfTests
from tests.unit.management_api.test_definitions import ASSET
from tests.unit.management_api.test_transfer_processes import REQUEST, REQUEST_2022

PLANTED = "planted-secret"
ACCOUNT_KEY = base64.b64encode(b"#" * 64).decode()
PATHS = ["/v3/assets", "/v3/transferprocesses", "/transferprocess"]
EDC = "https://w3id.org/edc/v0.0.1/ns/"


@pytest.fixture(autouse=True)
async def _an_agreement(plane: ControlPlaneOfTests) -> None:
    await plane.agreed()


async def sent(api: httpx.AsyncClient, path: str, address: dict[str, Any]) -> httpx.Response:
    """The answer to a request with this address, in the notation of that API."""
    bodies = {
        "/v3/assets": {**ASSET, "dataAddress": address},
        "/v3/transferprocesses": {**REQUEST, "dataDestination": address},
        "/transferprocess": {**REQUEST_2022, "dataDestination": {"properties": address}},
    }
    return await api.post(path, json=bodies[path])


async def stored(plane: ControlPlaneOfTests) -> list[object]:
    """What a request with this test's ids would have left."""
    asset = await plane.stores.assets.find("asset-1")
    process = await plane.stores.transfer_processes.find("tp-1")
    return [found for found in (asset, process) if found is not None]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "name",
    [
        "secret",
        "Secret",
        "accountKey",
        "AccountKey",
        "account_key",
        "connectionString",
        "sas",
        "sasToken",
        "sastoken",
        "keyname",
        "KeyName",
        "password",
        "anything",
        "edc:accountKey",
        f"{EDC}connectionString",
        "https://elsewhere.example/ns/secret",
    ],
)
async def test_a_property_that_azure_storage_does_not_know_is_refused_by_its_name(
    api: httpx.AsyncClient, plane: ControlPlaneOfTests, path: str, name: str
) -> None:
    answer = await sent(api, path, {"type": "AzureStorage", "account": "consumeracc", name: PLANTED})
    assert answer.status_code == 400
    message = answer.json()[0]["message"]
    plain = name.removeprefix("edc:").removeprefix(EDC)
    assert repr(plain) in message
    assert "put a secret into the vault and name its alias as keyName" in message
    assert PLANTED not in answer.text
    assert await stored(plane) == []


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "name",
    [
        "secretAccessKey",
        "Access-Key-Id",
        "api.token",
        "pass-word",
        "dbPassword",
        "sasUrl",
        "connection_string",
        "Authorization",
        "AUTHCODE",
        "keyNames",
    ],
)
async def test_of_another_type_what_looks_like_a_secret_is_refused_by_its_name(
    api: httpx.AsyncClient, plane: ControlPlaneOfTests, path: str, name: str
) -> None:
    answer = await sent(api, path, {"type": "AmazonS3", name: PLANTED})
    assert answer.status_code == 400
    assert repr(name) in answer.json()[0]["message"]
    assert "keyName" in answer.json()[0]["message"]
    assert PLANTED not in answer.text
    assert await stored(plane) == []


async def test_of_another_type_what_does_not_look_like_a_secret_is_kept(api: httpx.AsyncClient) -> None:
    address = {"type": "AmazonS3", "bucketName": "b", "region": "eu", "keyName": "an-alias"}
    assert (await sent(api, "/v3/assets", address)).status_code == 200
    assert (await api.get("/v3/assets/asset-1")).json()["dataAddress"] == {"@type": "DataAddress", **address}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("keyName", ACCOUNT_KEY),
        ("keyName", "?sv=2025&sig=" + PLANTED),
        ("endpoint", "https://consumeracc.blob.example?sv=2025&sig=" + PLANTED),
        ("endpoint", f"https://user:{PLANTED}@consumeracc.blob.example"),
        ("blobName", "a.csv?sv=2025&sig=" + PLANTED),
        ("container", "AccountName=consumeracc;AccountKey=" + PLANTED),
    ],
)
async def test_a_secret_inside_a_known_property_is_refused(
    api: httpx.AsyncClient, plane: ControlPlaneOfTests, path: str, name: str, value: str
) -> None:
    answer = await sent(api, path, {"type": "AzureStorage", "account": "consumeracc", name: value})
    assert answer.status_code == 400
    assert name in answer.json()[0]["message"]
    assert PLANTED not in answer.text
    assert ACCOUNT_KEY not in answer.text
    assert await stored(plane) == []


async def test_an_asset_that_is_replaced_is_checked_as_well(api: httpx.AsyncClient) -> None:
    assert (await api.post("/v3/assets", json=ASSET)).status_code == 200
    address = {"type": "AzureStorage", "account": "acc", "accountKey": PLANTED}
    answer = await api.put("/v3/assets", json={**ASSET, "dataAddress": address})
    assert answer.status_code == 400
    assert PLANTED not in (await api.get("/v3/assets/asset-1")).text


async def test_every_property_of_an_azure_address_may_be_written(api: httpx.AsyncClient) -> None:
    full = AzureBlobAddress("consumeracc", "c", "b", "p/", "f", "alias").to_data_address()
    address = {"type": "AzureStorage", **full.properties, "blobname": "b", "endpoint": "https://consumeracc.example"}
    assert (await sent(api, "/v3/assets", address)).status_code == 200
    assert (await api.get("/v3/assets/asset-1")).json()["dataAddress"] == {"@type": "DataAddress", **address}


async def test_an_address_as_it_is_shown_may_be_written_again(api: httpx.AsyncClient) -> None:
    assert (await api.post("/v3/assets", json=ASSET)).status_code == 200
    shown = (await api.get("/v3/assets/asset-1")).json()
    assert (await api.put("/v3/assets", json=shown)).status_code == 204
