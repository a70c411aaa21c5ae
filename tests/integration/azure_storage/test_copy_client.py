"""Copies from the account of one organisation to that of another, which the service makes itself."""

import os
from dataclasses import dataclass, replace

import pytest
from awscrt import checksums

from azure_storage.block_client import BlockBlobClient
from azure_storage.containers import ObjectStorage, Tags
from azure_storage.copy_client import BlobCopyClient
from azure_storage.copy_errors import CopyNotSupportedError, CopySourceChangedError, CopySourceRefusedError
from azure_storage.crc64 import crc64_of, wire_crc64
from azure_storage.errors import (
    AuthorizationFailureError,
    AuthorizationPermissionMismatchError,
    BlobNotFoundError,
    ChecksumMismatchError,
    ContainerNotFoundError,
)
from azure_storage.sas import SasToken, SignedUrl
from tests.integration.azure_storage.conftest import ACCOUNT, BY_KEY_AND_BY_IDENTITY, SOURCE_ACCOUNT, Place

pytestmark = [pytest.mark.azurite, BY_KEY_AND_BY_IDENTITY]

NAME = "in/ü 数.bin"
CONTENT = os.urandom(300_000)
CUT = 200_000


@dataclass(frozen=True, slots=True)
class Source:
    """A blob of the provider, and a signature that reads it and nothing else."""

    url: SignedUrl
    etag: str


@pytest.fixture
async def source(storage: ObjectStorage, blocks: BlockBlobClient, source_place: Place) -> Source:
    url = source_place.to_write(NAME)
    etag = await blocks.put_blob(url, CONTENT, content_type="text/csv", metadata={"origin": "source"})
    token = await storage.mint_read_sas(SOURCE_ACCOUNT, source_place.container, blob_name=NAME, lifetime_seconds=120)
    return Source(token.applied_to(url.url), etag)


async def _refusals(copies: BlobCopyClient, place: Place, source: SignedUrl, etag: str) -> set[type[Exception]]:
    """What the call is refused with."""
    with pytest.raises(Exception) as block:  # noqa: PT011 - the kinds are what the caller looks at
        await copies.put_block_from_url(place.to_write("a"), "1", source, offset=0, length=9, source_if_match=etag)
    assert "sig=" not in str(block.value)
    return {block.type}


async def test_blocks_that_the_service_fetched_become_the_blob_and_their_crc64s_its_crc64(
    storage: ObjectStorage, blocks: BlockBlobClient, copies: BlobCopyClient, place: Place, source: Source
) -> None:
    target, etag = place.to_write("out"), source.etag
    first = await copies.put_block_from_url(target, "n-1", source.url, offset=0, length=CUT, source_if_match=etag)
    length = len(CONTENT) - CUT
    second = await copies.put_block_from_url(
        target,
        "n-2",
        source.url,
        offset=CUT,
        length=length,
        source_if_match=etag,
        source_content_crc64=wire_crc64(crc64_of(CONTENT[CUT:])),
    )
    assert first is not None
    assert second is not None
    assert checksums.combine_crc64nvme(first, second, length) == crc64_of(CONTENT)
    published = await blocks.put_block_list(target, ["n-1", "n-2"], content_type="image/png", tags={"a": "b c"})
    assert await blocks.get_range(place.to_read("out"), offset=0, length=len(CONTENT), if_match=published) == CONTENT
    found = await storage.get_object(ACCOUNT, place.container, "out", tags=Tags.REQUIRE)
    assert (found.content_type, found.tags) == ("image/png", {"a": "b c"})


async def test_a_wrong_checksum_of_the_source_is_refused(copies: BlobCopyClient, place: Place, source: Source) -> None:
    for checksum in ({"source_content_md5": b"m" * 16}, {"source_content_crc64": b"c" * 8}):
        with pytest.raises(ChecksumMismatchError):
            await copies.put_block_from_url(
                place.to_write("a"), "1", source.url, offset=0, length=9, source_if_match=source.etag, **checksum
            )


async def test_a_changed_source_is_told(copies: BlobCopyClient, place: Place, source: Source) -> None:
    assert await _refusals(copies, place, source.url, '"0x1"') == {CopySourceChangedError}


async def test_a_signature_for_one_blob_opens_no_other_to_a_copy_and_allows_nothing_else(
    blocks: BlockBlobClient, copies: BlobCopyClient, place: Place, source_place: Place, source: Source
) -> None:
    etag = await blocks.put_blob(source_place.to_write("other"), CONTENT)
    other = source.url.token.applied_to(source_place.to_write("other").url)
    assert await _refusals(copies, place, other, etag) == {CopySourceRefusedError}
    with pytest.raises(AuthorizationPermissionMismatchError):
        await blocks.put_blob(source.url, b"x", overwrite=True)
    elsewhere = source.url.token.applied_to(place.to_write(NAME).url)
    with pytest.raises(AuthorizationFailureError):
        await blocks.get_range(elsewhere, offset=0, length=1, if_match=source.etag)


async def test_a_bad_signature_of_the_source_is_told_as_the_sources(
    storage: ObjectStorage, copies: BlobCopyClient, place: Place, source_place: Place, source: Source
) -> None:
    altered = SasToken(source.url.token.query.replace("sig=", "sig=A")).applied_to(source.url.url)
    expired = await storage.mint_read_sas(SOURCE_ACCOUNT, source_place.container, blob_name=NAME, lifetime_seconds=-1)
    writing = source_place.to_write(NAME)
    for bad in (altered, expired.applied_to(source.url.url), writing):
        assert await _refusals(copies, place, bad, source.etag) == {CopySourceRefusedError}


async def test_a_source_that_is_gone_is_told_as_the_sources(
    copies: BlobCopyClient, place: Place, source_place: Place, source: Source
) -> None:
    gone = source_place.to_read("gone")
    assert await _refusals(copies, place, gone, source.etag) == {CopySourceChangedError}


async def test_a_source_that_the_service_does_not_reach_is_told_as_the_sources(
    copies: BlobCopyClient, place: Place, source: Source
) -> None:
    away = source.url.token.applied_to("http://127.0.0.1:1/providerorg/data/a")
    assert await _refusals(copies, place, away, source.etag) == {CopySourceRefusedError}


async def test_a_bad_signature_of_the_destination_is_told_as_the_destinations(
    storage: ObjectStorage, copies: BlobCopyClient, place: Place, source: Source
) -> None:
    altered = replace(place, write=SasToken(place.write.query.replace("sig=", "sig=A"), place.write.expires_at))
    assert await _refusals(copies, altered, source.url, source.etag) == {AuthorizationFailureError}
    await storage.delete_container(ACCOUNT, place.container, process_id="process-1")
    with pytest.raises((ContainerNotFoundError, AuthorizationFailureError)):
        await copies.put_block_from_url(
            place.to_write("a"), "1", source.url, offset=0, length=9, source_if_match=source.etag
        )


async def test_azurite_does_not_have_put_blob_from_url(
    storage: ObjectStorage, copies: BlobCopyClient, place: Place, source: Source
) -> None:
    with pytest.raises(CopyNotSupportedError):
        await copies.put_blob_from_url(place.to_write("a"), source.url, source_if_match=source.etag)
    with pytest.raises(BlobNotFoundError):
        await storage.get_object(ACCOUNT, place.container, "a")
