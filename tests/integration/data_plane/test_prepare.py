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
from tests.integration.data_plane.conftest import CONSUMER, TOKEN, Organisations, serving

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


async def _terminated(data_plane: httpx.AsyncClient, process_id: str) -> None:
    answer = await data_plane.post(f"/dataflows/{process_id}/terminate", json={"messageId": str(uuid4())})
    assert answer.status_code == 200, answer.text
