"""The emulated Vault's KV version 2 engine, as the unmodified hvac sees it."""

import uuid

import hvac
import pytest
from hvac.api.secrets_engines.kv_v2 import KvV2
from hvac.exceptions import InvalidPath, InvalidRequest

from tests.emulated import RunningVault


@pytest.fixture
def kv(vault_server: RunningVault) -> KvV2:
    return hvac.Client(vault_server.url, token=vault_server.root_token).secrets.kv.v2


@pytest.fixture
def folder() -> str:
    return f"test-{uuid.uuid4().hex}"


def read(kv: KvV2, path: str, version: int | None = None) -> dict[str, object]:
    answer = kv.read_secret_version(path, version=version, raise_on_deleted_version=True)
    return dict(answer["data"]["data"])


async def test_the_newest_version_is_read_and_older_ones_can_be(kv: KvV2, folder: str) -> None:
    for text in ("one", "two"):
        kv.create_or_update_secret(f"{folder}/a", {"value": text})
    assert read(kv, f"{folder}/a") == {"value": "two"}
    assert read(kv, f"{folder}/a", 1) == {"value": "one"}
    metadata = kv.read_secret_metadata(f"{folder}/a")["data"]
    assert metadata["current_version"] == 2
    assert sorted(metadata["versions"]) == ["1", "2"]


async def test_ten_versions_are_kept(kv: KvV2, folder: str) -> None:
    for number in range(12):
        kv.create_or_update_secret(f"{folder}/a", {"value": number})
    assert sorted(map(int, kv.read_secret_metadata(f"{folder}/a")["data"]["versions"])) == list(range(3, 13))
    with pytest.raises(InvalidPath):
        read(kv, f"{folder}/a", 2)


async def test_check_and_set_lets_one_of_two_writers_through(kv: KvV2, folder: str) -> None:
    kv.create_or_update_secret(f"{folder}/a", {"value": "one"}, cas=0)
    with pytest.raises(InvalidRequest, match="check-and-set"):
        kv.create_or_update_secret(f"{folder}/a", {"value": "two"}, cas=0)
    kv.create_or_update_secret(f"{folder}/a", {"value": "two"}, cas=1)
    assert read(kv, f"{folder}/a") == {"value": "two"}


async def test_what_is_not_there_has_no_errors_to_tell(kv: KvV2, folder: str) -> None:
    with pytest.raises(InvalidPath) as missing:
        read(kv, f"{folder}/a")
    assert missing.value.errors == []


async def test_a_deleted_version_is_not_there_but_its_metadata_is(kv: KvV2, folder: str) -> None:
    kv.create_or_update_secret(f"{folder}/a", {"value": "one"})
    kv.delete_latest_version_of_secret(f"{folder}/a")
    with pytest.raises(InvalidPath):
        read(kv, f"{folder}/a")
    shown = kv.read_secret_version(f"{folder}/a", raise_on_deleted_version=False)["data"]
    assert shown["data"] is None
    assert shown["metadata"]["deletion_time"]
    with pytest.raises(InvalidRequest, match="check-and-set"):
        kv.create_or_update_secret(f"{folder}/a", {"value": "two"}, cas=0)
    kv.undelete_secret_versions(f"{folder}/a", [1])
    assert read(kv, f"{folder}/a") == {"value": "one"}


async def test_a_destroyed_version_does_not_come_back(kv: KvV2, folder: str) -> None:
    kv.create_or_update_secret(f"{folder}/a", {"value": "one"})
    kv.destroy_secret_versions(f"{folder}/a", [1])
    kv.undelete_secret_versions(f"{folder}/a", [1])
    with pytest.raises(InvalidPath):
        read(kv, f"{folder}/a")


async def test_deleting_the_metadata_deletes_all_versions(kv: KvV2, folder: str) -> None:
    kv.create_or_update_secret(f"{folder}/a", {"value": "one"})
    kv.delete_metadata_and_all_versions(f"{folder}/a")
    kv.delete_metadata_and_all_versions(f"{folder}/a")
    with pytest.raises(InvalidPath):
        kv.read_secret_metadata(f"{folder}/a")
    kv.create_or_update_secret(f"{folder}/a", {"value": "two"}, cas=0)


async def test_a_folder_lists_its_secrets_and_its_folders(vault_server: RunningVault, kv: KvV2, folder: str) -> None:
    for name in ("b", "a", "inner/c", "inner/d"):
        kv.create_or_update_secret(f"{folder}/{name}", {"value": name})
    assert kv.list_secrets(folder)["data"]["keys"] == ["a", "b", "inner/"]
    without_verb = hvac.Client(vault_server.url, token=vault_server.root_token, strict_http=True)
    assert without_verb.secrets.kv.v2.list_secrets(f"{folder}/inner")["data"]["keys"] == ["c", "d"]
    with pytest.raises(InvalidPath):
        kv.list_secrets(f"{folder}/empty")


async def test_another_mount_is_told_from_a_missing_secret(kv: KvV2, folder: str) -> None:
    with pytest.raises(InvalidPath, match="no handler for route"):
        kv.read_secret_version(folder, mount_point="elsewhere", raise_on_deleted_version=True)
