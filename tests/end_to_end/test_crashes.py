"""SIGKILL of each process in the middle of a large transfer; the transfer completes with equal digests."""

import hashlib
from pathlib import Path

import pytest

from connector_cli.demo.flow_watch import flow_status, provider_process, wait_for_bytes
from connector_cli.demo.sample_files import MEBIBYTE, SampleFile, digest_of
from tests.conftest import AzuriteForTests
from tests.end_to_end.stage import Stage, two_organisations
from tests.eventually import eventually

pytestmark = [pytest.mark.azurite, pytest.mark.end_to_end, pytest.mark.slow, pytest.mark.timeout(600)]

LARGE = SampleFile("large.bin", 256 * MEBIBYTE)


@pytest.mark.parametrize("victim", ["data plane", "provider", "consumer"])
async def test_a_killed_process_goes_on_where_it_was(
    azurite: AzuriteForTests, tmp_path: Path, container_name: str, victim: str
) -> None:
    async with two_organisations(azurite, tmp_path, container_name) as stage:
        async with stage.source() as container:
            await container.upload_blob(LARGE.name, b"".join(LARGE.chunks()), max_concurrency=4)
        await stage.offer("large", blobName=LARGE.name)
        agreement = await stage.agree("large")

        process_id = await stage.start(agreement)
        copied = await wait_for_bytes(stage.provider, process_id, LARGE.size_bytes // 5)
        await stage.processes[victim].kill()
        assert copied < LARGE.size_bytes, "the transfer was over before its middle was seen"
        await stage.processes[victim].start()

        process = await stage.ended(process_id, seconds=240)

        assert process["state"] == "COMPLETED", process
        async with stage.destination(process["dataDestination"]["container"]) as client:
            assert await digest_of(client, LARGE.name) == LARGE.sha256()


@pytest.mark.parametrize(("victim", "waits_in"), [("provider", "REQUESTING"), ("data plane", "REQUESTED")])
async def test_a_process_that_is_down_for_a_while_is_waited_for(
    azurite: AzuriteForTests, tmp_path: Path, container_name: str, victim: str, waits_in: str
) -> None:
    async with two_organisations(azurite, tmp_path, container_name) as stage:
        await stage.upload("late.txt", b"late")
        await stage.offer("late", blobName="late.txt")
        agreement = await stage.agree("late")
        await stage.processes[victim].kill()
        process_id = await stage.start(agreement)
        async with stage.consumer.client() as consumer:
            while await consumer.transfer_state(process_id) != waits_in:
                pass
        await stage.processes[victim].start()
        process = await stage.ended(process_id)
        assert process["state"] == "COMPLETED", process
        async with stage.destination(process["dataDestination"]["container"]) as client:
            assert await digest_of(client, "late.txt") == hashlib.sha256(b"late").hexdigest()


async def _copied_without_the_consumer(stage: Stage, process_id: str) -> None:
    async def is_copied() -> bool:
        return (await flow_status(stage.provider, process_id)).get("state") == "COMPLETED"

    await eventually(is_copied, seconds=60)


async def test_a_consumer_that_was_down_from_before_the_start_to_after_the_end_completes_on_both_sides(
    azurite: AzuriteForTests, tmp_path: Path, container_name: str
) -> None:
    async with two_organisations(azurite, tmp_path, container_name) as stage:
        await stage.upload("alone.txt", b"alone")
        await stage.offer("alone", blobName="alone.txt")
        agreement = await stage.agree("alone")
        # Without its data plane the provider cannot start, so it cannot announce the start before the consumer is dead.
        await stage.processes["data plane"].kill()
        process_id = await stage.start(agreement)
        async with stage.consumer.client() as consumer:
            while await consumer.transfer_state(process_id) != "REQUESTED":
                pass
        await stage.processes["consumer"].kill()
        await stage.processes["data plane"].start()
        await _copied_without_the_consumer(stage, process_id)
        assert (await provider_process(stage.provider, process_id))["state"] == "STARTING"
        await stage.processes["consumer"].start()

        assert (await stage.ended(process_id))["state"] == "COMPLETED"
        assert (await stage.ended_at_provider(process_id))["state"] == "COMPLETED"


async def test_a_consumer_that_is_killed_as_soon_as_the_provider_has_started_completes_on_both_sides(
    azurite: AzuriteForTests, tmp_path: Path, container_name: str
) -> None:
    async with two_organisations(azurite, tmp_path, container_name) as stage:
        await stage.upload("alone.bin", bytes(32 * MEBIBYTE))
        await stage.offer("alone", blobName="alone.bin")
        process_id = await stage.start(await stage.agree("alone"))
        while (await provider_process(stage.provider, process_id))["state"] not in {"STARTING", "STARTED"}:
            pass
        await stage.processes["consumer"].kill()
        await _copied_without_the_consumer(stage, process_id)
        await stage.processes["consumer"].start()

        assert (await stage.ended(process_id))["state"] == "COMPLETED"
        assert (await stage.ended_at_provider(process_id))["state"] == "COMPLETED"
