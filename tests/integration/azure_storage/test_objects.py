import hashlib

import pytest

from azure_storage import containers
from azure_storage.block_client import BlockBlobClient
from azure_storage.containers import ObjectStorage, Tags
from azure_storage.errors import BlobNotFoundError, BlobTooLargeError, ContainerNotFoundError
from azure_storage.metadata import percent_decoded, percent_encoded
from azure_storage.session import StorageSession
from tests.integration.azure_storage.conftest import ACCOUNT, BY_KEY_AND_BY_IDENTITY, Access, Place, storage_of

pytestmark = [pytest.mark.azurite, BY_KEY_AND_BY_IDENTITY]


async def _names(storage: ObjectStorage, place: Place, prefix: str = "") -> list[str]:
    return [listed.name async for listed in storage.list_objects(ACCOUNT, place.container, prefix=prefix)]


async def test_a_listing_tells_what_was_published(
    storage: ObjectStorage, blocks: BlockBlobClient, place: Place
) -> None:
    etag = await blocks.put_blob(
        place.to_write("in/Übersicht 数.csv"),
        b"a,b",
        content_type="text/csv; charset=utf-8",
        content_encoding="identity",
        metadata={"originalName": percent_encoded("Übersicht 50%"), "note": "plain 50%"},
    )
    (listed,) = [item async for item in storage.list_objects(ACCOUNT, place.container)]
    assert (listed.name, listed.size_bytes, listed.etag) == ("in/Übersicht 数.csv", 3, etag)
    assert (listed.content_type, listed.content_encoding) == ("text/csv; charset=utf-8", "identity")
    metadata = {name.lower(): value for name, value in listed.metadata.items()}
    assert percent_decoded(metadata["originalname"]) == "Übersicht 50%"
    assert metadata["note"] == "plain 50%"
    assert await storage.get_object(ACCOUNT, place.container, listed.name) == listed


async def test_a_listing_holds_what_starts_with_the_prefix(
    storage: ObjectStorage, blocks: BlockBlobClient, place: Place
) -> None:
    for name in ("a/1", "a/2", "ab", "b/1"):
        await blocks.put_blob(place.to_write(name), b"")
    assert await _names(storage, place, "a/") == ["a/1", "a/2"]
    assert await _names(storage, place) == ["a/1", "a/2", "ab", "b/1"]
    assert await _names(storage, place, "none") == []


async def test_a_listing_goes_on_over_its_pages(
    storage: ObjectStorage, blocks: BlockBlobClient, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containers, "LIST_PAGE_SIZE", 2)
    names = [f"n{number}" for number in range(5)]
    for name in names:
        await blocks.put_blob(place.to_write(name), b"")
    assert await _names(storage, place) == names


async def test_a_listing_goes_on_in_another_process_where_it_stopped(
    access: Access,
    session: StorageSession,
    blocks: BlockBlobClient,
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    storage, other = (storage_of(access, session) for _ in range(2))
    monkeypatch.setattr(containers, "LIST_PAGE_SIZE", 2)
    for name in ("ä 1", "ä/2", "ä3", "ä4", "ä5"):
        await blocks.put_blob(place.to_write(name), b"")
    pages = storage.list_pages(ACCOUNT, place.container, prefix="ä")
    first = await anext(pages)
    rest = [
        page
        async for page in other.list_pages(ACCOUNT, place.container, prefix="ä", continuation=first.next_continuation)
    ]
    same = [page async for page in pages]
    assert [len(page.objects) for page in (first, *rest)] == [2, 2, 1]
    assert {item.name for page in (first, *rest) for item in page.objects} == {"ä 1", "ä/2", "ä3", "ä4", "ä5"}
    assert rest == same
    assert rest[-1].next_continuation is None


async def test_tags_and_the_stored_md5_are_listed_on_demand(
    storage: ObjectStorage, blocks: BlockBlobClient, place: Place
) -> None:
    md5 = hashlib.md5(b"content", usedforsecurity=False).digest()
    await blocks.put_blob(place.to_write("tagged"), b"content", content_md5=md5, tags={"a b": "c/d", "e": ""})
    await blocks.put_block(place.to_write("untagged"), "1", b"content")
    await blocks.put_block_list(place.to_write("untagged"), ["1"])
    for tags in (Tags.IF_PERMITTED, Tags.REQUIRE):
        listed = [item async for item in storage.list_objects(ACCOUNT, place.container, tags=tags)]
        assert [item.tags for item in listed] == [{"a b": "c/d", "e": ""}, {}]
        assert [item.content_md5 for item in listed] == [md5, None]
        assert [await storage.get_object(ACCOUNT, place.container, item.name, tags=tags) for item in listed] == listed
    (tagged, _) = [item async for item in storage.list_objects(ACCOUNT, place.container)]
    assert tagged.tags is None


async def test_staged_blocks_and_directory_stubs_are_not_listed(
    storage: ObjectStorage, blocks: BlockBlobClient, place: Place
) -> None:
    await blocks.put_block(place.to_write("staged"), "1", b"x")
    await blocks.put_blob(place.to_write("folder"), b"", metadata={"hdi_isfolder": "true"})
    await blocks.put_blob(place.to_write("folder/a"), b"a")
    assert await _names(storage, place) == ["folder/a"]


async def test_a_missing_container_or_blob_is_told(storage: ObjectStorage, place: Place, container_name: str) -> None:
    with pytest.raises(BlobNotFoundError, match=f"{container_name}/none"):
        await storage.get_object(ACCOUNT, container_name, "none")
    missing = f"{container_name[:40]}-missing"
    with pytest.raises(ContainerNotFoundError, match=missing):
        _ = [item async for item in storage.list_objects(ACCOUNT, missing)]


async def test_a_small_blob_is_read_whole(storage: ObjectStorage, blocks: BlockBlobClient, place: Place) -> None:
    await blocks.put_blob(place.to_write(".complete"), b"12345")
    await blocks.put_blob(place.to_write("empty"), b"")
    assert await storage.read_small_blob(ACCOUNT, place.container, ".complete", max_bytes=5) == b"12345"
    assert await storage.read_small_blob(ACCOUNT, place.container, "empty", max_bytes=5) == b""
    assert await storage.read_small_blob(ACCOUNT, place.container, "none", max_bytes=5) is None


async def test_a_blob_larger_than_the_limit_is_refused(
    storage: ObjectStorage, blocks: BlockBlobClient, place: Place
) -> None:
    await blocks.put_blob(place.to_write(".complete"), b"123456")
    with pytest.raises(BlobTooLargeError, match="5 bytes"):
        await storage.read_small_blob(ACCOUNT, place.container, ".complete", max_bytes=5)


async def test_a_small_blob_in_a_missing_container_is_no_missing_blob(
    storage: ObjectStorage, container_name: str
) -> None:
    with pytest.raises(ContainerNotFoundError):
        await storage.read_small_blob(ACCOUNT, container_name, ".complete", max_bytes=5)
