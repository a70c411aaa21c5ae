import hashlib
import os

import pytest

from azure_storage.block_client import BlockBlobClient
from azure_storage.containers import ObjectStorage
from azure_storage.crc64 import crc64_of, wire_crc64
from azure_storage.errors import (
    BlobAlreadyExistsError,
    BlobNotFoundError,
    ChecksumMismatchError,
    ContainerNotFoundError,
    InvalidBlockListError,
    SourceChangedError,
)
from tests.integration.azure_storage.conftest import ACCOUNT, BY_KEY_AND_BY_IDENTITY, Place

pytestmark = [pytest.mark.azurite, BY_KEY_AND_BY_IDENTITY]

MIB = 1024 * 1024


def _md5(content: bytes) -> bytes:
    return hashlib.md5(content, usedforsecurity=False).digest()


async def test_blocks_become_one_blob_in_the_order_of_the_list(
    storage: ObjectStorage, blocks: BlockBlobClient, place: Place
) -> None:
    content = os.urandom(5 * MIB + 17)
    parts = {f"nonce-{at:05d}": content[at * MIB : (at + 1) * MIB] for at in range(6)}
    for block_id, part in reversed(parts.items()):
        await blocks.put_block(place.to_write("a/ü 数.bin"), block_id, part, content_md5=_md5(part))
    etag = await blocks.put_block_list(
        place.to_write("a/ü 数.bin"),
        list(parts),
        content_type="image/png",
        content_encoding="br",
        metadata={"note": "naïve"},
        content_md5=_md5(content),
    )
    read = place.to_read("a/ü 数.bin")
    assert await blocks.get_range(read, offset=0, length=len(content), if_match=etag) == content
    assert await blocks.get_range(read, offset=MIB - 3, length=7, if_match=etag) == content[MIB - 3 : MIB + 4]
    published = await storage.get_object(ACCOUNT, place.container, "a/ü 数.bin")
    assert (published.etag, published.size_bytes) == (etag, len(content))
    assert (published.content_type, published.content_encoding) == ("image/png", "br")
    assert dict(published.metadata) == {"note": "na%C3%AFve"}


async def test_nothing_is_visible_before_the_commit(
    storage: ObjectStorage, blocks: BlockBlobClient, place: Place
) -> None:
    await blocks.put_block(place.to_write("a"), "1", b"x")
    with pytest.raises(BlobNotFoundError):
        await storage.get_object(ACCOUNT, place.container, "a")


async def test_the_crc64_that_the_service_reports_is_ours(blocks: BlockBlobClient, place: Place) -> None:
    for size in (0, 1, 9, 100_003):
        content = os.urandom(size)
        value = crc64_of(content)
        assert await blocks.put_block(place.to_write("a"), "1", content) == value
        assert await blocks.put_block(place.to_write("a"), "1", content, content_crc64=wire_crc64(value)) == value


async def test_a_crc64_with_its_bytes_in_the_other_order_is_refused(blocks: BlockBlobClient, place: Place) -> None:
    value = crc64_of(b"123456789")
    with pytest.raises(ChecksumMismatchError):
        await blocks.put_block(place.to_write("a"), "1", b"123456789", content_crc64=wire_crc64(value)[::-1])
    with pytest.raises(ChecksumMismatchError):
        await blocks.put_blob(place.to_write("a"), b"123456789", content_crc64=wire_crc64(value ^ 1))
    assert await blocks.put_blob(place.to_write("a"), b"123456789", content_crc64=wire_crc64(value))


async def test_a_wrong_checksum_is_refused_and_leaves_nothing_staged(blocks: BlockBlobClient, place: Place) -> None:
    with pytest.raises(ChecksumMismatchError):
        await blocks.put_block(place.to_write("a"), "1", b"content", content_md5=_md5(b"other"))
    with pytest.raises(ChecksumMismatchError):
        await blocks.put_block(place.to_write("a"), "1", b"content", content_crc64=b"12345678")
    with pytest.raises(InvalidBlockListError):
        await blocks.put_block_list(place.to_write("a"), ["1"])


async def test_a_wrong_checksum_of_a_small_blob_is_refused(
    storage: ObjectStorage, blocks: BlockBlobClient, place: Place
) -> None:
    with pytest.raises(ChecksumMismatchError):
        await blocks.put_blob(place.to_write("a"), b"content", content_md5=_md5(b"other"))
    assert await storage.read_small_blob(ACCOUNT, place.container, "a", max_bytes=10) is None


async def test_what_is_there_is_not_overwritten(blocks: BlockBlobClient, place: Place) -> None:
    etag = await blocks.put_blob(place.to_write("a"), b"first", content_md5=_md5(b"first"))
    with pytest.raises(BlobAlreadyExistsError):
        await blocks.put_blob(place.to_write("a"), b"second")
    await blocks.put_block(place.to_write("a"), "1", b"second")
    with pytest.raises(BlobAlreadyExistsError):
        await blocks.put_block_list(place.to_write("a"), ["1"])
    assert await blocks.get_range(place.to_read("a"), offset=0, length=5, if_match=etag) == b"first"


async def test_what_is_there_is_overwritten_on_demand(blocks: BlockBlobClient, place: Place) -> None:
    await blocks.put_blob(place.to_write("a"), b"first")
    await blocks.put_block(place.to_write("a"), "1", b"second")
    etag = await blocks.put_block_list(place.to_write("a"), ["1"], overwrite=True)
    assert await blocks.get_range(place.to_read("a"), offset=0, length=6, if_match=etag) == b"second"
    etag = await blocks.put_blob(place.to_write("a"), b"third", overwrite=True)
    assert await blocks.get_range(place.to_read("a"), offset=0, length=5, if_match=etag) == b"third"


async def test_a_changed_source_is_not_read(blocks: BlockBlobClient, place: Place) -> None:
    etag = await blocks.put_blob(place.to_write("a"), b"first")
    await blocks.put_blob(place.to_write("a"), b"other", overwrite=True)
    with pytest.raises(SourceChangedError):
        await blocks.get_range(place.to_read("a"), offset=0, length=5, if_match=etag)


async def test_an_empty_blob_is_written_and_read(blocks: BlockBlobClient, place: Place) -> None:
    etag = await blocks.put_blob(place.to_write("empty"), b"", content_md5=_md5(b""))
    assert await blocks.get_range(place.to_read("empty"), offset=0, length=0, if_match=etag) == b""
    await blocks.put_blob(place.to_write("empty"), b"no longer", overwrite=True)
    with pytest.raises(SourceChangedError):
        await blocks.get_range(place.to_read("empty"), offset=0, length=0, if_match=etag)


async def test_an_empty_list_publishes_an_empty_blob(blocks: BlockBlobClient, place: Place) -> None:
    etag = await blocks.put_block_list(place.to_write("empty"), [])
    assert await blocks.get_range(place.to_read("empty"), offset=0, length=0, if_match=etag) == b""


async def test_after_an_unclear_commit_our_own_blob_is_recognised(blocks: BlockBlobClient, place: Place) -> None:
    for block_id in ("nonce-1", "nonce-2"):
        await blocks.put_block(place.to_write("a"), block_id, b"x")
    await blocks.put_block_list(place.to_write("a"), ["nonce-1", "nonce-2"], metadata={"n": "v"})
    etag = await blocks.recommit_block_list(place.to_write("a"), ["nonce-1", "nonce-2"], metadata={"n": "v"})
    assert await blocks.get_range(place.to_read("a"), offset=0, length=2, if_match=etag) == b"xx"


async def test_after_an_unclear_commit_a_foreign_or_missing_blob_is_recognised(
    blocks: BlockBlobClient, place: Place
) -> None:
    await blocks.put_block(place.to_write("a"), "other-1", b"x")
    await blocks.put_block_list(place.to_write("a"), ["other-1"])
    await blocks.put_block(place.to_write("missing"), "nonce-1", b"x")
    for name in ("a", "missing"):
        with pytest.raises(InvalidBlockListError):
            await blocks.recommit_block_list(place.to_write(name), ["nonce-1"])


async def test_a_missing_blob_is_told_or_taken_as_changed(blocks: BlockBlobClient, place: Place) -> None:
    with pytest.raises((BlobNotFoundError, SourceChangedError)):
        await blocks.get_range(place.to_read("none"), offset=0, length=1, if_match='"0x1"')


async def test_a_container_that_is_gone_is_told(storage: ObjectStorage, blocks: BlockBlobClient, place: Place) -> None:
    await storage.delete_container(ACCOUNT, place.container, process_id="process-1")
    with pytest.raises(ContainerNotFoundError):
        await blocks.get_range(place.to_read("a"), offset=0, length=1, if_match='"0x1"')
