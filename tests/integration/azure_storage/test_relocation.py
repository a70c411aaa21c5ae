"""An object is moved inside an account by the service itself, with the account's key and as an identity."""

import asyncio
import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from azure_storage.block_client import BlockBlobClient
from azure_storage.containers import ObjectStorage
from azure_storage.errors import BlobAlreadyExistsError
from azure_storage.relocation import Move, Relocator
from azure_storage.session import StorageSession
from connector_spi.clock import SystemClock
from tests.integration.azure_storage.conftest import ACCOUNT, BY_KEY_AND_BY_IDENTITY, Place

pytestmark = [pytest.mark.azurite, BY_KEY_AND_BY_IDENTITY]

BLOCK = 100_000
CONTENTS = {"empty": b"", "small": b"small", "in/\u00fc large.bin": os.urandom(3 * BLOCK + 7)}
MARK = {"placedby": "t-1 n"}


@pytest.fixture
def relocator(session: StorageSession) -> Relocator:
    return Relocator(session, SystemClock(), 30, block_bytes=BLOCK, parallel=2)


async def moved(
    storage: ObjectStorage, place: Place, name: str, *, may_go_on: Callable[[], bool] = lambda: True
) -> Move:
    """From `name` to `moved/<name>`, with signatures that the owner makes for itself."""
    read = await storage.mint_read_sas(ACCOUNT, place.container, lifetime_seconds=300)
    write = await storage.blobs.move_token(ACCOUNT, place.container, lifetime_seconds=300)
    url = partial(place.endpoints.blob_url, ACCOUNT, place.container)
    return Move(
        source=await storage.get_object(ACCOUNT, place.container, name),
        source_url=read.applied_to(url(name)),
        target_url=write.applied_to(url(f"moved/{name}")),
        metadata=MARK,
        nonce="0" * 32,
        staged=partial(storage.blobs.staged_blocks, ACCOUNT, place.container, f"moved/{name}"),
        may_go_on=may_go_on,
    )


@pytest.mark.parametrize("name", CONTENTS)
async def test_it_arrives_with_everything_that_it_has_and_the_mark(
    storage: ObjectStorage, blocks: BlockBlobClient, place: Place, relocator: Relocator, name: str
) -> None:
    content, md5 = CONTENTS[name], hashlib.md5(CONTENTS[name], usedforsecurity=False).digest()
    await blocks.put_blob(
        place.to_write(name),
        content,
        content_type="text/x",
        content_encoding="x-enc",
        metadata={"origin": "o", "PlacedBy": "a liar"},
        content_md5=md5,
    )
    move = await moved(storage, place, name)
    assert await relocator.relocate(move) is None
    found = await storage.get_object(ACCOUNT, place.container, f"moved/{name}")
    assert (found.content_type, found.content_encoding, found.content_md5) == ("text/x", "x-enc", md5)
    assert found.metadata == {"origin": "o", **MARK}
    read = await storage.read_small_blob(ACCOUNT, place.container, f"moved/{name}", max_bytes=10**6)
    assert read == content
    with pytest.raises(BlobAlreadyExistsError):
        await relocator.relocate(move)


async def test_one_that_may_not_go_on_says_how_far_it_is_and_goes_on_from_there(
    storage: ObjectStorage, blocks: BlockBlobClient, place: Place, relocator: Relocator
) -> None:
    name = "in/\u00fc large.bin"
    await blocks.put_blob(place.to_write(name), CONTENTS[name])
    allowed = iter([True, True, False, False])
    assert await relocator.relocate(await moved(storage, place, name, may_go_on=lambda: next(allowed))) == 2 * BLOCK
    waiting = await storage.blobs.staged_blocks(ACCOUNT, place.container, f"moved/{name}")
    assert sorted(waiting.values()) == [BLOCK, BLOCK]
    assert await relocator.relocate(await moved(storage, place, name)) is None
    read = await storage.read_small_blob(ACCOUNT, place.container, f"moved/{name}", max_bytes=10**6)
    assert read == CONTENTS[name]


@pytest.mark.parametrize("name", ["small", "in/\u00fc large.bin"])
async def test_one_whose_time_is_over_when_its_turn_comes_is_not_begun(
    storage: ObjectStorage, blocks: BlockBlobClient, place: Place, session: StorageSession, name: str
) -> None:
    relocator = Relocator(session, SystemClock(), 30, block_bytes=BLOCK, parallel=1)
    await blocks.put_blob(place.to_write(name), CONTENTS[name])
    is_time = True

    def waits_for_the_only_slot() -> bool:
        nonlocal is_time
        was, is_time = is_time, False
        return was

    first = await moved(storage, place, name, may_go_on=waits_for_the_only_slot)
    results = await asyncio.gather(*(relocator.relocate(replace(first, nonce=str(n) * 32)) for n in range(3)))
    assert None not in results[1:]
    waiting = await storage.blobs.staged_blocks(ACCOUNT, place.container, f"moved/{name}")
    assert not [block for block in waiting if not block.startswith("0" * 32)]


async def test_a_blob_is_deleted_only_as_it_was_seen(
    storage: ObjectStorage, blocks: BlockBlobClient, place: Place
) -> None:
    etag = await blocks.put_blob(place.to_write("a"), b"1")
    fresh = await blocks.put_blob(place.to_write("a"), b"2", overwrite=True)
    assert not await storage.blobs.delete_unchanged(ACCOUNT, place.container, "a", etag=etag)
    assert await storage.read_small_blob(ACCOUNT, place.container, "a", max_bytes=9) == b"2"
    assert await storage.blobs.delete_unchanged(ACCOUNT, place.container, "a", etag=fresh)
