"""A push from one storage account to another, as the control plane and the consumer see it."""

import asyncio
import hashlib
import random
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from azure_storage.markers import COMPLETE, FAILED, parse_failed_marker
from azure_storage.settings import AzureStorageSettings
from data_plane.settings import DataPlaneSettings
from tests.eventually import eventually
from tests.integration.data_plane.conftest import CONSUMER, PROVIDER, Organisations, serving
from tests.integration.data_plane.recording_control_plane import RecordingControlPlane

pytestmark = pytest.mark.azurite

MEBIBYTE = 1024 * 1024


def content(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)  # noqa: S311 - content, not a secret


async def started(data_plane: httpx.AsyncClient, message: dict[str, object]) -> None:
    answer = await data_plane.post("/dataflows/start", json=message)
    assert (answer.status_code, answer.json().get("state")) == (200, "STARTED"), answer.text


async def test_a_prefix_arrives_whole_with_names_digests_types_and_metadata(
    organisations: Organisations, data_plane: httpx.AsyncClient, control_plane: RecordingControlPlane
) -> None:
    await organisations.put("data/large.bin", content(64 * MEBIBYTE + 5))
    await organisations.put("data/empty", b"")
    await organisations.put("data/Übersicht 日本.txt", b"names are text")
    await organisations.put("data/in/a/folder.txt", content(100_000))
    await organisations.put("elsewhere.txt", b"not asked for")
    await started(data_plane, organisations.start_message({"blobPrefix": "data/"}))
    told = await control_plane.told(organisations.process_id, "completed")
    assert told["state"] == "COMPLETED"
    assert told["progress"]["bytesCopied"] == 64 * MEBIBYTE + 5 + 14 + 100_000
    delivered = await organisations.delivered()
    wanted = {name: digest for name, digest in organisations.contents.items() if name.startswith("data/")}
    assert {name: digest for name, digest in delivered.items() if not name.startswith(".")} == wanted
    root, entries = await organisations.manifest()
    assert (root.nonce, root.process_id, root.agreement_id) == ("nonce-1", "consumer-process", "agreement-1")
    assert {entry.name: entry.sha256 for entry in entries} == wanted
    listed = await organisations.storage.get_object(
        CONSUMER, organisations.destination_container, "data/in/a/folder.txt"
    )
    assert listed.content_type == "text/x-test"
    assert listed.metadata["own"] == "1"
    assert {k.lower(): v for k, v in listed.metadata.items()}["sha256"] == wanted["data/in/a/folder.txt"]


async def test_one_blob_goes_under_the_wished_name_into_the_folder(
    organisations: Organisations, data_plane: httpx.AsyncClient, control_plane: RecordingControlPlane
) -> None:
    await organisations.put("report.csv", b"a,b")
    message = organisations.start_message({"blobName": "report.csv"}, {"folderName": "in/x", "blobName": "my.csv"})
    await started(data_plane, message)
    await control_plane.told(organisations.process_id, "completed")
    delivered = await organisations.delivered()
    assert delivered["in/x/my.csv"] == organisations.contents["report.csv"]
    _, entries = await organisations.manifest(folder="in/x")
    assert [entry.name for entry in entries] == ["my.csv"]


async def test_no_secret_is_left_in_the_vault_or_the_database(
    organisations: Organisations,
    settings: DataPlaneSettings,
    secrets_at_rest: dict[str, str],
    control_plane: RecordingControlPlane,
    tmp_path: Path,
) -> None:
    await organisations.put("a", b"1")
    before = dict(secrets_at_rest)
    async with serving(settings, secrets_at_rest) as data_plane:
        await started(data_plane, organisations.start_message({"blobName": "a"}))
        await control_plane.told(organisations.process_id, "completed")

        async def forgotten() -> bool:
            return secrets_at_rest == before

        await eventually(forgotten)
    signature = organisations.write_token.query.split("sig=")[1].split("&")[0].encode()
    files = [file.read_bytes() for file in tmp_path.iterdir() if file.is_file()]
    assert files
    assert not any(signature in file for file in files)
    assert set(control_plane.authorizations) == {"Bearer signaling-token-for-tests"}


@dataclass(frozen=True)
class UnreadableSource:
    """Properties of a source, and what its failure has to say."""

    source: dict[str, str]
    code: str
    named: str


@pytest.mark.parametrize(
    "case",
    [
        UnreadableSource({"blobName": "missing.txt"}, "BlobNotFound", "missing.txt"),
        UnreadableSource({"blobPrefix": "nothing/here"}, "SourceEmpty", "nothing"),
        UnreadableSource({"blobName": "a", "keyName": "wrong-key"}, "AuthorizationFailure", "a"),
        UnreadableSource({"blobName": "a", "keyName": "no-such-alias"}, "SecretNotFound", "no-such-alias"),
    ],
)
async def test_a_source_that_cannot_be_read_ends_the_flow_with_the_reason_on_both_sides(
    organisations: Organisations,
    settings: DataPlaneSettings,
    secrets_at_rest: dict[str, str],
    control_plane: RecordingControlPlane,
    case: UnreadableSource,
) -> None:
    await organisations.put("a", b"1")
    secrets_at_rest["wrong-key"] = "d3Jvbmcga2V5"
    async with serving(settings, secrets_at_rest) as data_plane:
        await started(data_plane, organisations.start_message(case.source))
        told = await control_plane.told(organisations.process_id, "errored")
        assert told["failure"]["code"] == case.code
        # The consumer reads the message, and our own operator the rest: names of our vault's secrets are in that alone.
        assert case.named in told["error"] + told["failure"].get("remedy", "")
        status = (await data_plane.get(f"/dataflows/{organisations.process_id}/status")).json()
        assert (status["state"], status["failure"]["code"]) == ("TERMINATED", case.code)
        await eventually(lambda: organisations.marker(FAILED))
        marker = await organisations.marker(FAILED)
    assert marker is not None
    assert b"no-such-alias" not in marker
    failed = parse_failed_marker(marker)
    assert (failed.code, failed.nonce, failed.process_id) == (case.code, "nonce-1", "consumer-process")
    assert await organisations.marker(COMPLETE) is None


async def test_a_blob_that_is_there_is_not_overwritten_and_is_named(
    organisations: Organisations, data_plane: httpx.AsyncClient, control_plane: RecordingControlPlane
) -> None:
    await organisations.put("same.txt", b"ours")
    await organisations.put("same.txt", b"theirs", container=organisations.destination_container, account=CONSUMER)
    await started(data_plane, organisations.start_message({"blobName": "same.txt"}))
    told = await control_plane.told(organisations.process_id, "errored")
    assert (told["failure"]["code"], told["failure"]["object"]) == ("BlobAlreadyExists", "same.txt")
    assert (await organisations.delivered())["same.txt"] == hashlib.sha256(b"theirs").hexdigest()


@pytest.mark.parametrize("grace_seconds", [0, 0.5])
async def test_a_write_signature_that_is_refused_ends_the_flow_once_it_had_time_to_be_known(
    organisations: Organisations,
    settings: DataPlaneSettings,
    secrets_at_rest: dict[str, str],
    control_plane: RecordingControlPlane,
    grace_seconds: float,
) -> None:
    await organisations.put("a", b"1")
    before = dict(secrets_at_rest)
    refused = {"secret": "sv=2026-06-06&sr=c&sp=w&se=2099-01-01T00%3A00%3A00Z&sig=d3Jvbmc%3D"}
    patient = settings.model_copy(update={"signature_grace_seconds": grace_seconds})
    async with serving(patient, secrets_at_rest) as data_plane:
        await started(data_plane, organisations.start_message({"blobName": "a"}, refused))
        told = await control_plane.told(organisations.process_id, "errored")

        async def forgotten() -> bool:
            return secrets_at_rest == before

        await eventually(forgotten)
    assert told["failure"]["code"] == "AuthorizationFailure"
    assert "sig=" not in str(told)


async def test_a_name_that_cannot_be_written_is_refused_before_the_first_byte(
    organisations: Organisations, data_plane: httpx.AsyncClient, control_plane: RecordingControlPlane
) -> None:
    await organisations.put("a-good-name", b"1")
    await organisations.put("bad.", b"2")
    await started(data_plane, organisations.start_message({"blobPrefix": ""}))
    told = await control_plane.told(organisations.process_id, "errored")
    assert (told["failure"]["code"], told["failure"]["object"]) == ("InvalidInput", "bad.")
    assert [name for name in await organisations.delivered() if not name.startswith(".")] == []


@pytest.mark.parametrize("what", ["changes", "vanishes"])
async def test_a_source_blob_that_changes_or_vanishes_during_the_copy_is_never_published(
    organisations: Organisations,
    settings: DataPlaneSettings,
    secrets_at_rest: dict[str, str],
    control_plane: RecordingControlPlane,
    what: str,
) -> None:
    await organisations.put("big.bin", content(32 * MEBIBYTE))
    slow = settings.model_copy(update={"byte_budget_bytes": 8 * MEBIBYTE, "max_blocks_in_parallel": 1})
    async with serving(slow, secrets_at_rest) as data_plane:
        await started(data_plane, organisations.start_message({"blobName": "big.bin"}))
        await moving(data_plane, organisations.process_id)
        if what == "changes":
            await organisations.put("big.bin", b"another")
        else:
            await organisations.storage.delete_container(PROVIDER, organisations.source_container, process_id="owner")
        told = await control_plane.told(organisations.process_id, "errored")
    assert told["failure"]["code"] in {"SourceObjectChanged", "BlobNotFound", "ContainerNotFound"}
    assert told["failure"]["object"] == "big.bin"
    assert "big.bin" not in await organisations.delivered()


async def moving(data_plane: httpx.AsyncClient, flow_id: str, *, at_least: int = 1) -> None:
    """Wait until so many bytes have been copied."""

    async def copied() -> bool:
        status = (await data_plane.get(f"/dataflows/{flow_id}/status")).json()
        return bool(status["progress"]["bytesCopied"] >= at_least)

    await eventually(copied)


@pytest.mark.parametrize(("message", "state"), [("suspend", "SUSPENDED"), ("terminate", "TERMINATED")])
async def test_no_byte_moves_once_suspend_or_terminate_was_answered(
    organisations: Organisations,
    settings: DataPlaneSettings,
    secrets_at_rest: dict[str, str],
    message: str,
    state: str,
) -> None:
    await organisations.put("big.bin", content(48 * MEBIBYTE))
    slow = settings.model_copy(update={"byte_budget_bytes": 8 * MEBIBYTE, "max_blocks_in_parallel": 1})
    async with serving(slow, secrets_at_rest) as data_plane:
        await started(data_plane, organisations.start_message({"blobName": "big.bin"}))
        await moving(data_plane, organisations.process_id)
        answer = await data_plane.post(f"/dataflows/{organisations.process_id}/{message}", json={"messageId": "m"})
        assert answer.json()["state"] == state
        before = (await data_plane.get(f"/dataflows/{organisations.process_id}/status")).json()
        await asyncio.sleep(0.5)
        after = (await data_plane.get(f"/dataflows/{organisations.process_id}/status")).json()
    assert before["state"] == after["state"] == state
    assert before["progress"]["bytesCopied"] == after["progress"]["bytesCopied"] < 48 * MEBIBYTE
    assert "big.bin" not in await organisations.delivered()


async def test_a_suspended_flow_goes_on_where_it_was_and_completes(
    organisations: Organisations,
    settings: DataPlaneSettings,
    secrets_at_rest: dict[str, str],
    control_plane: RecordingControlPlane,
) -> None:
    await organisations.put("x/a-small", content(1000))
    await organisations.put("x/big.bin", content(32 * MEBIBYTE))
    slow = settings.model_copy(update={"byte_budget_bytes": 8 * MEBIBYTE, "max_objects_in_parallel": 1})
    path = f"/dataflows/{organisations.process_id}"
    async with serving(slow, secrets_at_rest) as data_plane:
        await started(data_plane, organisations.start_message({"blobPrefix": "x/"}))
        await moving(data_plane, organisations.process_id)
        await data_plane.post(f"{path}/suspend", json={"messageId": "m1"})
        answer = await data_plane.post(f"{path}/resume", json={"messageId": "m2"})
        assert (answer.status_code, answer.json()["state"]) == (200, "STARTED")
        told = await control_plane.told(organisations.process_id, "completed")
    assert told["progress"]["bytesCopied"] == 32 * MEBIBYTE + 1000
    delivered = await organisations.delivered()
    assert {name: delivered[name] for name in organisations.contents} == organisations.contents


async def test_a_control_plane_that_is_down_for_a_while_is_told_later_and_once_is_enough(
    organisations: Organisations, data_plane: httpx.AsyncClient, control_plane: RecordingControlPlane
) -> None:
    control_plane.answers["completed"] = [503, 404]
    await organisations.put("a", b"1")
    await started(data_plane, organisations.start_message({"blobName": "a"}))
    await control_plane.told(organisations.process_id, "completed", times=3)
    messages = control_plane.of(organisations.process_id, "completed")
    assert len({message["messageId"] for message in messages}) == 1


async def test_progress_is_reported_until_the_control_plane_does_not_know_it(
    organisations: Organisations, data_plane: httpx.AsyncClient, control_plane: RecordingControlPlane
) -> None:
    control_plane.answers["progress"] = [200, 404]
    await organisations.put("big.bin", content(96 * MEBIBYTE))
    await started(data_plane, organisations.start_message({"blobName": "big.bin"}))
    await control_plane.told(organisations.process_id, "completed")
    reports = control_plane.of(organisations.process_id, "progress")
    assert len(reports) == 2
    assert reports[-1]["progress"]["bytesTotal"] == 96 * MEBIBYTE
    assert reports[-1]["state"] == "STARTED"


async def test_a_flow_in_which_nothing_moves_ends_with_the_last_error(
    organisations: Organisations,
    settings: DataPlaneSettings,
    secrets_at_rest: dict[str, str],
    control_plane: RecordingControlPlane,
) -> None:
    await organisations.put("a", b"1")
    nowhere = settings.model_copy(
        update={
            "storage": AzureStorageSettings(endpoint_template="http://127.0.0.1:9/{account}"),
            "no_progress_seconds": 0.5,
        }
    )
    async with serving(nowhere, secrets_at_rest) as data_plane:
        await started(data_plane, organisations.start_message({"blobName": "a"}))
        told = await control_plane.told(organisations.process_id, "errored")
    assert (told["failure"]["code"], told["failure"]["retryable"]) == ("NoProgress", True)
    assert "0.5 seconds" in told["error"]
