"""The emulated Key Vault, as the unmodified azure-keyvault-secrets sees it: secrets, deletion, faults."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError, ServiceRequestError
from azure.keyvault.secrets.aio import SecretClient

from tests.emulated import RunningEntra, RunningKeyVault, running_key_vault
from tests.integration.emulators.sdk_clients import client_secret_credential, secret_client

Opened = Callable[[RunningKeyVault], Awaitable[SecretClient]]


@pytest_asyncio.fixture
async def opened() -> AsyncIterator[Opened]:
    async with AsyncExitStack() as stack:

        async def open_client(vault: RunningKeyVault) -> SecretClient:
            credential = await stack.enter_async_context(client_secret_credential(vault.entra))
            return await stack.enter_async_context(secret_client(vault, credential))

        yield open_client


@pytest_asyncio.fixture
async def client(key_vault_server: RunningKeyVault, opened: Opened) -> SecretClient:
    return await opened(key_vault_server)


@pytest.fixture
def name() -> str:
    return f"test-{uuid.uuid4().hex}"


def inner_code(error: HttpResponseError) -> str:
    inner: Any = error.error and error.error.innererror
    return str(inner["code"]) if inner else ""


async def test_versions_are_kept_and_the_newest_is_read(client: SecretClient, name: str) -> None:
    first = await client.set_secret(name, "one", content_type="text/plain", tags={"who": "us"})
    await client.set_secret(name, "two")
    assert (await client.get_secret(name)).value == "two"
    old = await client.get_secret(name, first.properties.version)
    assert (old.value, old.properties.content_type, old.properties.tags) == ("one", "text/plain", {"who": "us"})
    versions = [item.version async for item in client.list_properties_of_secret_versions(name)]
    assert first.properties.version in versions
    assert len(versions) == 2


async def test_names_compare_without_case(client: SecretClient, name: str) -> None:
    await client.set_secret(name, "one")
    assert (await client.get_secret(name.upper())).value == "one"


@pytest.mark.parametrize("wrong", ["under_score", "dot.dot", "x" * 128])
async def test_names_that_the_service_does_not_take_are_refused(client: SecretClient, wrong: str) -> None:
    with pytest.raises(HttpResponseError) as refused:
        await client.set_secret(wrong, "value")
    assert refused.value.status_code == 400


async def test_the_longest_name_and_the_longest_value_are_taken(client: SecretClient, name: str) -> None:
    longest = name.ljust(127, "x")
    await client.set_secret(longest, "v" * 25_600)
    assert len((await client.get_secret(longest)).value or "") == 25_600
    with pytest.raises(HttpResponseError) as refused:
        await client.set_secret(longest, "v" * 25_601)
    assert refused.value.status_code == 400


async def test_a_secret_that_is_not_there_is_not_found(client: SecretClient, name: str) -> None:
    for call in (client.get_secret, client.delete_secret, client.get_deleted_secret, client.purge_deleted_secret):
        with pytest.raises(ResourceNotFoundError) as missing:
            await call(name)
        assert missing.value.error
        assert missing.value.error.code == "SecretNotFound"


async def test_a_disabled_secret_is_forbidden(client: SecretClient, name: str) -> None:
    await client.set_secret(name, "one", enabled=False)
    with pytest.raises(HttpResponseError) as refused:
        await client.get_secret(name)
    assert (refused.value.status_code, inner_code(refused.value)) == (403, "SecretDisabled")


async def test_lists_come_in_pages_without_values(entra_server: RunningEntra, tmp_path: Path, opened: Opened) -> None:
    async with running_key_vault(tmp_path, entra_server) as vault:
        client = await opened(vault)
        names = [f"secret-{number:02}" for number in range(7)]
        for each in names:
            await client.set_secret(each, "value")
        pages = client.list_properties_of_secrets(max_page_size=3).by_page()
        assert [[item.name async for item in page] async for page in pages] == [names[:3], names[3:6], names[6:]]
        for each in names[:2]:
            await client.delete_secret(each)
        assert [item.name async for item in client.list_properties_of_secrets()] == names[2:]
        assert [item.name async for item in client.list_deleted_secrets(max_page_size=1)] == names[:2]


async def test_a_deleted_name_stays_taken_until_it_is_purged(client: SecretClient, name: str) -> None:
    await client.set_secret(name, "one")
    await client.delete_secret(name)
    with pytest.raises(ResourceNotFoundError):
        await client.get_secret(name)
    with pytest.raises(ResourceExistsError) as taken:
        await client.set_secret(name, "two")
    assert inner_code(taken.value) == "ObjectIsDeletedButRecoverable"
    await client.purge_deleted_secret(name)
    await client.set_secret(name, "two")
    assert len([item async for item in client.list_properties_of_secret_versions(name)]) == 1


async def test_a_deleted_secret_can_be_recovered(client: SecretClient, name: str) -> None:
    await client.set_secret(name, "one")
    await client.delete_secret(name)
    await client.recover_deleted_secret(name)
    assert (await client.get_secret(name)).value == "one"


async def test_deleting_recovering_and_purging_take_their_time(
    entra_server: RunningEntra, tmp_path: Path, opened: Opened, name: str
) -> None:
    async with running_key_vault(tmp_path, entra_server, deletion_seconds=20) as vault:
        client = await opened(vault)
        await client.set_secret(name, "one")
        await client._client.delete_secret(name)  # the public method would wait until it is done
        with pytest.raises(ResourceExistsError) as taken:
            await client.set_secret(name, "two")
        assert inner_code(taken.value) == "ObjectIsBeingDeleted"
        with pytest.raises(ResourceNotFoundError):
            await client.get_deleted_secret(name)
        await vault.set_clock(offset_seconds=21)
        assert (await client.get_deleted_secret(name)).name == name
        await client._client.recover_deleted_secret(name)
        with pytest.raises(ResourceExistsError) as coming:
            await client.set_secret(name, "two")
        assert inner_code(coming.value) == "ObjectIsBeingRecovered"
        await vault.set_clock(offset_seconds=42)
        await client._client.delete_secret(name)
        await vault.set_clock(offset_seconds=63)
        await client.purge_deleted_secret(name)
        with pytest.raises(ResourceExistsError) as going:
            await client.set_secret(name, "two")
        assert inner_code(going.value) == "ObjectIsBeingDeleted"
        await vault.set_clock(offset_seconds=84)
        await client.set_secret(name, "two")


async def test_purge_protection_forbids_purging(
    entra_server: RunningEntra, tmp_path: Path, opened: Opened, name: str
) -> None:
    async with running_key_vault(tmp_path, entra_server, purge_protection=True) as vault:
        client = await opened(vault)
        await client.set_secret(name, "one")
        assert (await client.delete_secret(name)).properties.recovery_level == "Recoverable"
        with pytest.raises(HttpResponseError, match="purge protection") as refused:
            await client.purge_deleted_secret(name)
        assert refused.value.status_code == 403


async def test_faults_come_as_often_as_they_are_told(
    entra_server: RunningEntra, tmp_path: Path, opened: Opened, name: str
) -> None:
    async with running_key_vault(tmp_path, entra_server) as vault:
        client = await opened(vault)
        await client.set_secret(name, "one")
        await vault.throttle(1)
        with pytest.raises(HttpResponseError) as throttled:
            await client.get_secret(name)
        assert throttled.value.status_code == 429
        assert getattr(throttled.value.response, "headers", {}).get("Retry-After") == "1"
        await vault.fail(1, status=503)
        with pytest.raises(HttpResponseError) as failed:
            await client.get_secret(name)
        assert failed.value.status_code == 503
        assert (await client.get_secret(name)).value == "one"


async def test_a_killed_vault_comes_back_with_its_secrets(
    entra_server: RunningEntra, tmp_path: Path, opened: Opened, name: str
) -> None:
    async with running_key_vault(tmp_path, entra_server) as vault:
        client = await opened(vault)
        await client.set_secret(name, "one")
        await vault.kill()
        with pytest.raises(ServiceRequestError):
            await client.get_secret(name)
        await vault.start_again()
        assert (await client.get_secret(name)).value == "one"
