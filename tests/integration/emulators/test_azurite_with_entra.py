"""Azurite over TLS takes tokens of the emulated Entra ID, and delegation keys made with them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.identity.aio import ClientSecretCredential
from azure.storage.blob import ContainerSasPermissions, generate_container_sas
from azure.storage.blob.aio import BlobClient, BlobServiceClient

from azure_storage.session import STORAGE_API_VERSION
from tests.conftest import AzuriteWithOAuth
from tests.integration.emulators.sdk_clients import client_secret_credential

pytestmark = pytest.mark.azurite

ACCOUNT = "providerorg"
PERIOD = timedelta(minutes=10)


@pytest_asyncio.fixture
async def credential(azurite_oauth: AzuriteWithOAuth) -> AsyncIterator[ClientSecretCredential]:
    async with client_secret_credential(azurite_oauth.entra) as opened:
        yield opened


def service(azurite: AzuriteWithOAuth, credential: ClientSecretCredential | str) -> BlobServiceClient:
    return BlobServiceClient(
        azurite.endpoint_template.format(account=ACCOUNT),
        credential,
        connection_verify=str(azurite.ca_file),
        api_version=STORAGE_API_VERSION,
        retry_total=0,
    )


async def test_a_token_and_a_delegation_sas_are_taken(
    azurite_oauth: AzuriteWithOAuth, credential: ClientSecretCredential, container_name: str
) -> None:
    now = datetime.now(UTC)
    async with service(azurite_oauth, credential) as client:
        await client.create_container(container_name)
        key = await client.get_user_delegation_key(now - PERIOD, now + PERIOD)
    assert key.signed_oid == azurite_oauth.entra.client_object_id
    permission = ContainerSasPermissions(create=True, write=True)
    sas = generate_container_sas(
        ACCOUNT, container_name, user_delegation_key=key, permission=permission, expiry=now + PERIOD
    )
    blob_url = f"{azurite_oauth.endpoint_template.format(account=ACCOUNT)}/{container_name}/delivered.txt"
    async with BlobClient.from_blob_url(
        blob_url,
        sas,
        connection_verify=str(azurite_oauth.ca_file),
        api_version=STORAGE_API_VERSION,
        retry_total=0,
    ) as blob:
        await blob.upload_blob(b"delivered")
        with pytest.raises(HttpResponseError) as refused:
            await blob.download_blob()
    assert refused.value.status_code == 403


async def test_an_account_key_gets_no_delegation_key(azurite_oauth: AzuriteWithOAuth) -> None:
    now = datetime.now(UTC)
    async with service(azurite_oauth, azurite_oauth.keys[ACCOUNT]) as client:
        with pytest.raises(ClientAuthenticationError):
            await client.get_user_delegation_key(now, now + PERIOD)


async def test_the_certificate_is_one_that_no_client_trusts_by_itself(
    azurite_oauth: AzuriteWithOAuth, credential: ClientSecretCredential
) -> None:
    url = azurite_oauth.endpoint_template.format(account=ACCOUNT)
    async with BlobServiceClient(url, credential, api_version=STORAGE_API_VERSION, retry_total=0) as client:
        with pytest.raises(Exception, match="certificate verify failed"):
            await client.get_service_properties()
