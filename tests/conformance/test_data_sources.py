"""What every DataSource promises: over memory, Azurite, HTTP servers of each ability, and a disk."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from connector_spi.errors import PermanentError
from data_plane.domain.errors import SourceObjectChangedError
from data_plane.domain.object_copy import SourceObject
from tests.conformance.azure_places import AzureAccounts, azure_source
from tests.conformance.data_places import BLOCK, Contents, SourcePlace, http_source, local_source, memory_source
from tests.conftest import AzuriteForTests
from tests.http_objects import HttpObjects

OpenSource = Callable[[Contents], Awaitable[SourcePlace]]

SERVERS: dict[str, Callable[[], HttpObjects]] = {
    "http": HttpObjects,
    "http by date": lambda: HttpObjects(validator="last-modified"),
    "http in one pass": lambda: HttpObjects(ranges=False),
    "http without a version": lambda: HttpObjects(validator="none"),
}
MANY = {"a.txt": b"0123456789", "dir/ä b.bin": bytes(300_000), "dir/x": b"x", "empty": b"", "z-日本.txt": b"z"}
SIZES = [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 4 * BLOCK, 4 * BLOCK + 7]


MANY_AT_ONCE = ["memory", pytest.param("azure", marks=pytest.mark.azurite), "local"]


@pytest.fixture(params=[*MANY_AT_ONCE, *SERVERS])
def technology(request: pytest.FixtureRequest) -> str | AzuriteForTests:
    """Its name, or Azurite. Not async: an async fixture cannot ask for another one while it runs."""
    return request.getfixturevalue("azurite") if request.param == "azure" else str(request.param)


@pytest.fixture
async def open_source(
    technology: str | AzuriteForTests, container_name: str, tmp_path: Path
) -> AsyncIterator[OpenSource]:
    """Opens a source that holds these contents: a single object when there is just one."""
    async with AsyncExitStack() as stack:

        async def opened(contents: Contents) -> SourcePlace:
            if isinstance(technology, AzuriteForTests):
                accounts = await AzureAccounts.opened(technology, container_name, stack)
                return await azure_source(accounts, contents, stack)
            if technology == "memory":
                return await memory_source(contents)
            if technology == "local":
                return await local_source(contents, stack, tmp_path)
            return await http_source(contents, stack, SERVERS[technology]())

        yield opened


def content(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


async def only(place: SourcePlace) -> SourceObject:
    [found] = [found async for page in place.source.objects() for found in page.objects]
    return found


async def in_blocks(place: SourcePlace, found: SourceObject) -> bytes:
    offsets = range(0, found.size, BLOCK) or [0]
    return b"".join([await place.source.read(found, at, min(BLOCK, found.size - at)) for at in offsets])


@pytest.mark.parametrize("size", SIZES)
async def test_the_blocks_of_an_object_are_the_object(open_source: OpenSource, size: int) -> None:
    place = await open_source({"a.bin": content(size)})
    found = await only(place)
    assert place.source.is_single
    assert (found.name, found.size) == ("a.bin", size)
    assert await in_blocks(place, found) == content(size)


@pytest.mark.parametrize("name", ["Übersicht 日本.txt", "in/a/folder.txt", "50% off?#1+2&x=y;.txt", "e\u0301.txt"])
async def test_a_name_arrives_as_it_is(open_source: OpenSource, name: str) -> None:
    place = await open_source({name: b"named"})
    found = await only(place)
    assert found.name in {name, name.rpartition("/")[2]}
    assert await place.source.read(found, 0, 5) == b"named"


@pytest.mark.parametrize("technology", MANY_AT_ONCE, indirect=True)
async def test_a_listing_says_everything_and_goes_on_after_each_of_its_positions(open_source: OpenSource) -> None:
    place = await open_source(MANY)
    assert not place.source.is_single
    pages = [page async for page in place.source.objects()]
    found = [each for page in pages for each in page.objects]
    assert {each.name: each.size for each in found} == {name: len(data) for name, data in MANY.items()}
    for page in pages:
        if page.position is not None:
            rest = [each async for after in place.source.objects(page.position) for each in after.objects]
            assert rest == found[found.index(page.objects[-1]) + 1 :]
    for each in found:
        assert await in_blocks(place, each) == MANY[each.name]


async def test_the_same_listing_pins_the_same_versions_for_another_process(open_source: OpenSource) -> None:
    place = await open_source({"a.bin": content(BLOCK)})
    found = await only(place)
    async with place.factory.open(place.address) as restarted:
        assert await restarted.read(found, 0, BLOCK) == content(BLOCK)


@pytest.mark.parametrize("size", [BLOCK, 4 * BLOCK])
async def test_another_version_is_never_read(open_source: OpenSource, size: int) -> None:
    place = await open_source({"a.bin": content(size)})
    found = await only(place)
    await place.source.read(found, 0, BLOCK)
    await place.change("a.bin", b"X" * (size + 1))
    # A source that reads in one pass may have received the beginning already; it notices when it asks again.
    with pytest.raises(SourceObjectChangedError):
        await in_blocks(place, found)
    now = await place.source.current(found)
    assert (now.name, now.size, now.etag != found.etag) == (found.name, size + 1, True)
    assert await in_blocks(place, now) == b"X" * (size + 1)


async def test_an_object_that_has_vanished_is_gone_for_good(open_source: OpenSource) -> None:
    place = await open_source({"a.bin": content(BLOCK)})
    found = await only(place)
    await place.remove("a.bin")
    with pytest.raises(PermanentError):
        await place.source.read(found, 0, BLOCK)


async def test_the_address_is_kept_as_it_was_accepted(open_source: OpenSource) -> None:
    place = await open_source({"a.bin": b"1"})
    assert place.factory.accepted(place.address) == place.address
