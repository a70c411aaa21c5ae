"""An account's key is rotated under a running process: a real Azurite comes back with another key."""

from pathlib import Path

import pytest

from azure_storage.block_client import BlockBlobClient
from azure_storage.containers import ObjectStorage
from azure_storage.endpoints import StorageEndpoints
from azure_storage.errors import AuthorizationFailureError
from azure_storage.sas import SasToken
from azure_storage.session import StorageSession
from connector_cli.azurite import new_account_key, running_azurite
from tests.integration.azure_storage.conftest import ACCOUNT, PROCESS, object_storage

pytestmark = [pytest.mark.azurite, pytest.mark.usefixtures("azurite")]

CONTAINER = "rotated"


async def test_minting_listing_and_reading_each_go_on_with_the_new_key(tmp_path: Path, session: StorageSession) -> None:
    secrets = {ACCOUNT: new_account_key()}
    async with running_azurite(accounts=secrets, data_folder=tmp_path) as before:
        endpoints = StorageEndpoints(before.endpoint_template)
        minting, listing, reading, signing = (object_storage(endpoints, secrets, session) for _ in range(4))
        await minting.create_container(ACCOUNT, CONTAINER, process_id=PROCESS)
        old = await minting.mint_write_sas(ACCOUNT, CONTAINER, policy_id="t", lifetime_seconds=600)
        etag = await _write(session, endpoints, old)
        for storage in (listing, reading, signing):
            assert await _names(storage) == ["a"]
    port = int(before.endpoint_template.split(":")[2].split("/")[0])
    secrets[ACCOUNT] = new_account_key()
    async with running_azurite(accounts=secrets, data_folder=tmp_path, port=port):
        with pytest.raises(AuthorizationFailureError, match="its account key was rotated"):
            await _write(session, endpoints, old)
        assert await _names(listing) == ["a"]
        assert await reading.read_small_blob(ACCOUNT, CONTAINER, "a", max_bytes=9) == b"content"
        fresh = await minting.mint_write_sas(ACCOUNT, CONTAINER, policy_id="t", lifetime_seconds=600)
        assert await _write(session, endpoints, fresh) != etag
        with pytest.raises(AuthorizationFailureError):  # signing makes no call, so nothing tells it at first
            await _read(session, endpoints, await signing.mint_read_sas(ACCOUNT, CONTAINER, lifetime_seconds=600))
        signing.forget_key(ACCOUNT)
        await _read(session, endpoints, await signing.mint_read_sas(ACCOUNT, CONTAINER, lifetime_seconds=600))


async def _write(session: StorageSession, endpoints: StorageEndpoints, token: SasToken) -> str:
    url = token.applied_to(endpoints.blob_url(ACCOUNT, CONTAINER, "a"))
    return await BlockBlobClient(session).put_blob(url, b"content", overwrite=True)


async def _read(session: StorageSession, endpoints: StorageEndpoints, token: SasToken) -> None:
    """Read the blob whatever its ETag is."""
    url = token.applied_to(endpoints.blob_url(ACCOUNT, CONTAINER, "a"))
    assert await BlockBlobClient(session).get_range(url, offset=0, length=7, if_match="*") == b"content"


async def _names(storage: ObjectStorage) -> list[str]:
    return [listed.name async for listed in storage.list_objects(ACCOUNT, CONTAINER)]
