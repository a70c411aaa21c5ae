"""The consumer's side of a push: `prepare` makes a real container and a signature that can write and no more."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from azure_storage.errors import ContainerNotFoundError, StorageRefusedError
from azure_storage.sas import SasToken
from connector_spi.data_address import SECRET, DataAddressMessage
from data_plane.settings import DataPlaneSettings
from tests.conftest import AzuriteForTests
from tests.eventually import eventually
from tests.integration.data_plane.conftest import CONSUMER, PROVIDER, TOKEN, Organisations, serving

pytestmark = pytest.mark.azurite


def prepare_message(process_id: str) -> dict[str, Any]:
    return {
        "messageId": str(uuid4()),
        "participantId": "consumer",
        "counterPartyId": "provider",
        "dataspaceContext": "test",
        "processId": process_id,
        "agreementId": "agreement-1",
        "datasetId": "asset-1",
        "profile": "AzureStorage-PUSH",
        "claims": {},
        "metadata": {"destination": {"type": "AzureStorage", "properties": {"account": CONSUMER}}},
    }


async def test_what_is_prepared_can_be_written_once_and_is_gone_when_the_flow_is_terminated(
    azurite: AzuriteForTests, organisations: Organisations, settings: DataPlaneSettings
) -> None:
    secrets = {CONSUMER: azurite.keys[CONSUMER], "token-alias": TOKEN}
    lasting, process_id = dict(secrets), f"process-{uuid4()}"
    async with serving(settings, secrets) as data_plane:
        message = prepare_message(process_id)
        answer = await data_plane.post("/dataflows/prepare", json=message)
        assert (answer.status_code, answer.json()["state"]) == (200, "PREPARED")
        assert (await data_plane.post("/dataflows/prepare", json=message)).json() == answer.json()
        other = await data_plane.post("/dataflows/prepare", json=prepare_message(process_id))
        assert other.status_code == 409
        address = DataAddressMessage.model_validate(answer.json()["dataAddress"]).to_address()
        container = address.get("container")
        token = SasToken.from_secret(address.get(SECRET))
        blob = organisations.endpoints.blob_url(CONSUMER, container, "data.txt")
        await organisations.blobs.put_blob(token.applied_to(blob), b"data", content_type="text/plain")
        with pytest.raises(StorageRefusedError):
            await organisations.blobs.get_range(token.applied_to(blob), offset=0, length=4, if_match="*")

        await _terminated(data_plane, process_id)

        async def forgotten() -> bool:
            return secrets == lasting

        await eventually(forgotten)
    with pytest.raises(ContainerNotFoundError):
        await organisations.storage.get_object(CONSUMER, container, "data.txt")


async def test_the_signature_of_what_is_prepared_is_prolonged_until_the_flow_ends(
    azurite: AzuriteForTests, organisations: Organisations, settings: DataPlaneSettings
) -> None:
    secrets = {CONSUMER: azurite.keys[CONSUMER], "token-alias": TOKEN}
    lasting, process_id = dict(secrets), f"process-{uuid4()}"
    short = settings.model_copy(update={"prepared_signature_seconds": 1})
    async with serving(short, secrets) as data_plane:
        prepared = await data_plane.post("/dataflows/prepare", json=prepare_message(process_id))
    path = f"/dataflows/{process_id}/credential"
    async with serving(settings, secrets) as data_plane:
        answer = await data_plane.post(path, json={})
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
        first, address = (
            DataAddressMessage.model_validate(each.json()["dataAddress"]).to_address() for each in (prepared, answer)
        )
        assert address.without(SECRET) == first.without(SECRET)
        old, token = (SasToken.from_secret(each.get(SECRET)) for each in (first, address))
        assert old.expires_at is not None
        assert token.expires_at is not None
        assert token.expires_at > old.expires_at
        blob = organisations.endpoints.blob_url(CONSUMER, address.get("container"), "data.txt")
        await organisations.blobs.put_blob(token.applied_to(blob), b"data", content_type="text/plain")

        await _terminated(data_plane, process_id)
        assert (await data_plane.post(path, json={})).status_code == 409
        assert (await data_plane.post("/dataflows/unknown/credential", json={})).status_code == 404

        async def forgotten() -> bool:
            return secrets == lasting

        await eventually(forgotten)


async def _terminated(data_plane: httpx.AsyncClient, process_id: str) -> None:
    answer = await data_plane.post(f"/dataflows/{process_id}/terminate", json={"messageId": str(uuid4())})
    assert answer.status_code == 200, answer.text


@pytest.mark.azurite
@pytest.mark.parametrize("profile", ["AzureStorage-PUSH", "https://w3id.org/dspace-sig/profile/azure-blob-push"])
async def test_two_data_planes_push_with_the_address_that_one_of_them_prepared(
    settings: DataPlaneSettings, organisations: Organisations, azurite: AzuriteForTests, profile: str
) -> None:
    """Each holds its own account's key alone; what passes between them is the address."""
    await organisations.put("in/object", b"content")
    consumer_settings = settings.model_copy(update={"database_url": settings.database_url.replace("flows", "consumer")})
    secrets = {"token-alias": TOKEN}
    async with (
        serving(settings, {**secrets, PROVIDER: azurite.keys[PROVIDER]}) as provider,
        serving(consumer_settings, {**secrets, CONSUMER: azurite.keys[CONSUMER]}) as consumer,
    ):
        start = {**organisations.start_message({"blobPrefix": "in/"}), "profile": profile}
        start.pop("dataAddress")
        process_id, container = f"push-{uuid4()}", f"pushed-{uuid4().hex[:20]}"
        wish = {"type": "AzureStorage", "properties": {"account": CONSUMER, "container": container}}
        prepared = await consumer.post(
            "/dataflows/prepare", json={**start, "processId": process_id, "metadata": {"destination": wish}}
        )
        address = prepared.json()["dataAddress"]
        assert address["endpointType"] == ("AzureStorage" if profile == "AzureStorage-PUSH" else profile)
        started = await provider.post("/dataflows/start", json={**start, "dataAddress": address})
        assert started.json()["state"] == "STARTED", started.text
        assert "dataAddress" not in started.json()

        async def completed() -> bool:
            status = (await provider.get(f"/dataflows/{organisations.process_id}/status")).json()
            assert "failure" not in status, status
            return bool(status["state"] == "COMPLETED")

        await eventually(completed)
    organisations.destination_container = container
    assert (await organisations.delivered())["in/object"] == organisations.contents["in/object"]
