"""Bytes that go from one storage account to the other, and not through the data plane."""

import hashlib
from collections.abc import AsyncIterator

import pytest

from azure_storage.containers import Tags
from azure_storage.crc64 import crc64_of, hex_crc64
from azure_storage.settings import AzureStorageSettings
from data_plane.settings import DataPlaneSettings
from tests.conftest import AzuriteForTests
from tests.fault_proxy import FaultProxy, fault_proxy, faults
from tests.integration.data_plane.conftest import CONSUMER, Organisations, serving
from tests.integration.data_plane.recording_control_plane import RecordingControlPlane
from tests.integration.data_plane.test_blob_transfer import MEBIBYTE, content, started

pytestmark = pytest.mark.azurite

FROM_URL = "Put Block From URL"
SOURCE_REFUSED = faults.refused_before(403, code="CannotVerifyCopySource")
LARGE = content(70 * MEBIBYTE + 7)


@pytest.fixture
async def source_refused(azurite: AzuriteForTests) -> AsyncIterator[FaultProxy]:
    """A storage service that is refused by every source that it shall copy from."""
    async with fault_proxy(azurite.endpoint_template) as proxy:
        proxy.inject(SOURCE_REFUSED, FROM_URL, times=None)
        yield proxy


def with_mode(settings: DataPlaneSettings, mode: str, **changes: object) -> DataPlaneSettings:
    return settings.model_copy(update={"copy_mode": mode, **changes})


async def test_content_properties_and_digests_are_those_of_the_source(
    organisations: Organisations,
    settings: DataPlaneSettings,
    secrets_at_rest: dict[str, str],
    control_plane: RecordingControlPlane,
) -> None:
    contents = {"data/large.bin": LARGE, "data/empty": b"", "data/Übersicht 日本.txt": b"names are text"}
    for name, data in contents.items():
        await organisations.put(name, data)
    async with serving(with_mode(settings, "auto"), secrets_at_rest) as data_plane:
        await started(data_plane, organisations.start_message({"blobPrefix": "data/"}))
        told = await control_plane.told(organisations.process_id, "completed")
    assert told["progress"]["copyMode"] == "server-side"
    assert told["progress"]["bytesCopied"] == sum(map(len, contents.values()))
    delivered = await organisations.delivered()
    assert {name: digest for name, digest in delivered.items() if not name.startswith(".")} == organisations.contents
    _, entries = await organisations.manifest()
    by_name = {entry.name: entry for entry in entries}
    large = by_name["data/large.bin"]
    assert (large.crc64, large.sha256, large.assurance) == (hex_crc64(crc64_of(LARGE)), None, "service-reported")
    assert by_name["data/empty"].sha256 == hashlib.sha256(b"").hexdigest()
    listed = await organisations.storage.get_object(
        CONSUMER, organisations.destination_container, "data/Übersicht 日本.txt"
    )
    assert (listed.content_type, listed.metadata["own"]) == ("text/x-test", "1")


async def test_the_sources_own_digest_is_checked_by_the_service_and_named_as_the_assurance(
    organisations: Organisations,
    settings: DataPlaneSettings,
    secrets_at_rest: dict[str, str],
    control_plane: RecordingControlPlane,
) -> None:
    data = content(100_000)
    md5 = hashlib.md5(data, usedforsecurity=False)
    await organisations.put_whole("a.bin", data, content_md5=md5.digest())
    async with serving(with_mode(settings, "server-side"), secrets_at_rest) as data_plane:
        await started(data_plane, organisations.start_message({"blobName": "a.bin"}))
        await control_plane.told(organisations.process_id, "completed")
    _, [entry] = await organisations.manifest()
    assert (entry.assurance, entry.md5) == ("source-md5", md5.hexdigest())


@pytest.mark.parametrize("mode", ["streamed", "server-side"])
async def test_index_tags_are_carried_where_that_is_wanted(
    organisations: Organisations,
    settings: DataPlaneSettings,
    secrets_at_rest: dict[str, str],
    control_plane: RecordingControlPlane,
    mode: str,
) -> None:
    tags = {"quarter": "2026/Q4", "owner": "us and you"}
    md5 = hashlib.md5(b"tagged", usedforsecurity=False).digest()
    await organisations.put_whole("a.txt", b"tagged", content_md5=md5, tags=tags)
    await organisations.put("large.bin", LARGE)
    async with serving(with_mode(settings, mode, carry_tags=True), secrets_at_rest) as data_plane:
        await started(data_plane, organisations.start_message({"blobPrefix": ""}))
        await control_plane.told(organisations.process_id, "completed")
    found = {}
    objects = organisations.storage.list_objects(CONSUMER, organisations.destination_container, tags=Tags.REQUIRE)
    async for listed in objects:
        found[listed.name] = listed.tags
    assert (found["a.txt"], found["large.bin"]) == (tags, {})


async def test_a_service_that_cannot_reach_the_source_makes_the_flow_streamed_and_the_status_says_so(
    organisations: Organisations,
    source_refused: FaultProxy,
    settings: DataPlaneSettings,
    secrets_at_rest: dict[str, str],
    control_plane: RecordingControlPlane,
) -> None:
    await organisations.put("large.bin", LARGE)
    settings = with_mode(
        settings, "auto", storage=AzureStorageSettings(endpoint_template=source_refused.endpoint_template)
    )
    async with serving(settings, secrets_at_rest) as data_plane:
        await started(data_plane, organisations.start_message({"blobName": "large.bin"}))
        told = await control_plane.told(organisations.process_id, "completed")
    assert len(source_refused.of(FROM_URL)) == 2, "decided once, after a second grant was refused too"
    _, [entry] = await organisations.manifest()
    assert (await organisations.delivered())["large.bin"] == hashlib.sha256(LARGE).hexdigest()
    assert told["progress"]["copyMode"] == "streamed"
    assert (entry.assurance, entry.sha256) == ("computed", hashlib.sha256(LARGE).hexdigest())


async def test_a_forced_mode_that_cannot_work_ends_the_flow_with_the_reason(
    organisations: Organisations,
    source_refused: FaultProxy,
    settings: DataPlaneSettings,
    secrets_at_rest: dict[str, str],
    control_plane: RecordingControlPlane,
) -> None:
    await organisations.put("large.bin", LARGE)
    settings = with_mode(
        settings, "server-side", storage=AzureStorageSettings(endpoint_template=source_refused.endpoint_template)
    )
    async with serving(settings, secrets_at_rest) as data_plane:
        await started(data_plane, organisations.start_message({"blobName": "large.bin"}))
        told = await control_plane.told(organisations.process_id, "errored")
    assert told["failure"]["code"] == "CopyUnavailable"
    assert "sig=" not in str(told)
    assert [name for name in await organisations.delivered() if not name.startswith(".")] == []
