"""A data plane of organisations that have no account key: identities open their storage, and sign."""

import hashlib
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from azure_storage.errors import ContainerNotFoundError, StorageRefusedError
from azure_storage.opening import open_storage
from azure_storage.sas import SasToken
from azure_storage.settings import AzureStorageSettings, StorageAccountSettings
from connector_spi.clock import SystemClock
from connector_spi.data_address import SECRET, DataAddressMessage
from data_plane.settings import DataPlaneSettings
from entra_identity.credentials import EntraCredentials
from tests.conftest import AzuriteWithOAuth
from tests.eventually import eventually
from tests.identities import open_identities
from tests.integration.data_plane.conftest import (
    CONSUMER,
    PROVIDER,
    TOKEN,
    Organisations,
    organisations_in,
    serving,
)
from tests.integration.data_plane.recording_control_plane import RecordingControlPlane
from tests.integration.data_plane.test_blob_transfer import MEBIBYTE, content, started
from tests.integration.data_plane.test_prepare import prepare_message
from vault_adapters.memory import InMemoryVault

pytestmark = pytest.mark.azurite


@pytest.fixture
async def identities(azurite_oauth: AzuriteWithOAuth) -> AsyncIterator[EntraCredentials]:
    async with open_identities(azurite_oauth.entra) as opened:
        yield opened


@pytest.fixture
def by_identity(azurite_oauth: AzuriteWithOAuth) -> AzureStorageSettings:
    return AzureStorageSettings(
        endpoint_template=azurite_oauth.endpoint_template,
        ca_file=azurite_oauth.ca_file,
        accounts=tuple(StorageAccountSettings(name=name, identity="own") for name in (PROVIDER, CONSUMER)),
    )


@pytest.fixture
async def keyless(
    by_identity: AzureStorageSettings, identities: EntraCredentials, container_name: str
) -> AsyncIterator[Organisations]:
    async with open_storage(by_identity, InMemoryVault({}), SystemClock(), credentials=identities) as opened:
        yield await organisations_in(opened, container_name)


@pytest.fixture
def keyless_settings(
    azurite_oauth: AzuriteWithOAuth, settings: DataPlaneSettings, by_identity: AzureStorageSettings
) -> DataPlaneSettings:
    return settings.model_copy(update={"storage": by_identity})


@pytest.mark.parametrize("mode", ["streamed", "server-side"])
async def test_a_prefix_arrives_whole_in_both_modes(
    keyless: Organisations,
    keyless_settings: DataPlaneSettings,
    identities: EntraCredentials,
    control_plane: RecordingControlPlane,
    mode: str,
) -> None:
    large = content(70 * MEBIBYTE + 7)
    for name, data in {"data/large.bin": large, "data/empty": b"", "data/Übersicht 日本.txt": b"text"}.items():
        await keyless.put(name, data)
    secrets = {"token-alias": TOKEN}
    async with serving(keyless_settings.model_copy(update={"copy_mode": mode}), secrets, entra=identities) as plane:
        await started(plane, keyless.start_message({"blobPrefix": "data/"}))
        told = await control_plane.told(keyless.process_id, "completed")
    assert told["progress"]["copyMode"] == mode
    delivered = await keyless.delivered()
    assert {name: digest for name, digest in delivered.items() if not name.startswith(".")} == keyless.contents
    assert delivered["data/large.bin"] == hashlib.sha256(large).hexdigest()


async def test_what_is_prepared_is_prolonged_and_gone_when_the_flow_is_terminated(
    keyless: Organisations, keyless_settings: DataPlaneSettings, identities: EntraCredentials
) -> None:
    secrets, process_id = {"token-alias": TOKEN}, f"process-{uuid4()}"
    short = keyless_settings.model_copy(update={"prepared_signature_seconds": 30})
    async with serving(short, secrets, entra=identities) as plane:
        prepared = await plane.post("/dataflows/prepare", json=prepare_message(process_id))
        assert prepared.status_code == 200, prepared.text
    async with serving(keyless_settings, secrets, entra=identities) as plane:
        renewed = await plane.post(f"/dataflows/{process_id}/credential", json={})
        assert renewed.status_code == 200, renewed.text
        old, new = (
            DataAddressMessage.model_validate(each.json()["dataAddress"]).to_address() for each in (prepared, renewed)
        )
        first, token = (SasToken.from_secret(each.get(SECRET)) for each in (old, new))
        assert first.expires_at is not None
        assert token.expires_at is not None
        assert token.expires_at > first.expires_at
        url = token.applied_to(keyless.endpoints.blob_url(CONSUMER, new.get("container"), "data.txt"))
        await keyless.blobs.put_blob(url, b"data")
        with pytest.raises(StorageRefusedError):
            await keyless.blobs.get_range(url, offset=0, length=4, if_match="*")
        answer = await plane.post(f"/dataflows/{process_id}/terminate", json={"messageId": str(uuid4())})
        assert answer.status_code == 200, answer.text

        async def forgotten() -> bool:
            return secrets == {"token-alias": TOKEN}

        await eventually(forgotten)
    with pytest.raises(ContainerNotFoundError):
        await keyless.storage.get_object(CONSUMER, new.get("container"), "data.txt")
