"""Whole transfers between two connectors with real processes, and everything that a client may get wrong."""

import asyncio
import hashlib
import uuid
from typing import Any

import httpx
import pytest
from azure.core.exceptions import ResourceNotFoundError

from connector_cli.azurite import new_account_key
from connector_cli.demo.flow_watch import flow_status, wait_for_bytes
from connector_cli.management_client import ManagementError
from tests.end_to_end.stage import Stage

pytestmark = [pytest.mark.azurite, pytest.mark.end_to_end, pytest.mark.asyncio(loop_scope="session")]


async def _contents(stage: Stage, container: str) -> dict[str, bytes]:
    async with stage.destination(container) as client:
        names = [name async for name in client.list_blob_names()]
        return {name: await (await client.download_blob(name)).readall() for name in names}


def _id() -> str:
    return f"t-{uuid.uuid4().hex[:12]}"


async def test_a_folder_arrives_whole_and_is_removed_without_trace(stage: Stage) -> None:
    files = {
        "trip/report.csv": b"a,b\n1,2\n" * 1000,
        "trip/empty.txt": b"",
        "trip/Übersicht 測定.txt": "Größe".encode(),
        "trip/deep/er/x.bin": bytes(range(256)) * 40_000,
    }
    for name, content in files.items():
        await stage.upload(name, content)
    await stage.offer("trip", blobPrefix="trip/")

    process = await stage.ended(await stage.start(await stage.agree("trip")))

    assert process["state"] == "COMPLETED", process
    container = process["dataDestination"]["container"]
    arrived = await _contents(stage, container)
    assert {n: c for n, c in arrived.items() if not n.startswith((".complete", ".manifest/"))} == files
    assert ".complete" in arrived
    assert process["progress"]["bytesCopied"] == sum(map(len, files.values()))
    await stage.deprovision(process["@id"])
    async with stage.destination(container) as client:
        with pytest.raises(ResourceNotFoundError):
            await client.get_container_properties()
    for side in (stage.consumer, stage.provider):
        vault = side.open_vault()
        aliases = await vault.aliases()
        await vault.aclose()
        assert not [a for a in aliases if process["@id"] in a or "data-address" in a]


async def test_the_paths_of_2022_do_the_whole_job(stage: Stage) -> None:
    await stage.upload("seed.txt", b"seed")
    await stage.offer("seed", blobName="seed.txt")
    agreement, process_id = await stage.agree("seed"), _id()
    destination = {"properties": {"type": "AzureStorage", "account": stage.consumer.account}}
    body: dict[str, Any] = {
        "id": process_id,
        "connectorId": "provider",
        "connectorAddress": stage.provider.protocol_url,
        "contractId": agreement,
        "assetId": "seed",
        "dataDestination": destination,
        "managedResources": True,
        "transferType": {"contentType": "application/octet-stream", "isFinite": True},
        "protocol": "dataspace-protocol-http:2025-1",
    }
    async with stage.consumer.client() as consumer:
        assert await consumer.call("POST", "/transferprocess", body) == {"id": process_id}
        assert await consumer.call("POST", "/transferprocess", body) == {"id": process_id}
        assert (await stage.ended(process_id))["state"] == "COMPLETED"
        assert await consumer.call("GET", f"/transferprocess/{process_id}/state") == {"state": "COMPLETED"}
        shown = await consumer.call("GET", f"/transferprocess/{process_id}")
        assert shown["dataRequest"]["assetId"] == "seed"
        container = shown["dataDestination"]["properties"]["container"]
        assert (await _contents(stage, container))["seed.txt"] == b"seed"
        await consumer.call("POST", f"/transferprocess/{process_id}/deprovision")
        await consumer.deprovision(process_id, wait_seconds=30)
        assert await consumer.call("GET", f"/transferprocess/{process_id}/state") == {"state": "DEPROVISIONED"}
        with pytest.raises(ManagementError) as refusal:
            await consumer.call("POST", "/transferprocess", {**body, "id": _id(), "managedResources": False})
        assert refusal.value.status == 400
        assert "container" in refusal.value.message, "which one?"


async def test_a_missing_blob_reaches_the_consumers_client_as_a_reason(stage: Stage) -> None:
    await stage.offer("lost", blobName="lost/nothing-here.bin")
    process = await stage.ended(await stage.start(await stage.agree("lost")))
    assert process["state"] == "TERMINATED"
    assert "nothing-here.bin" in process["errorDetail"]
    assert process["errorCode"] == "BlobNotFound"


async def test_an_empty_source_is_a_reason(stage: Stage) -> None:
    await stage.offer("void", blobPrefix="no/such/folder/")
    process = await stage.ended(await stage.start(await stage.agree("void")))
    assert process["state"] == "TERMINATED"
    assert process["errorCode"] == "SourceEmpty"


async def test_a_hostile_object_name_ends_the_transfer_before_the_first_byte(stage: Stage) -> None:
    await stage.upload("hostile/fine.txt", b"fine")
    await stage.upload("hostile/ends-with-a-dot.", b"hostile")
    await stage.offer("hostile", blobPrefix="hostile/")
    process = await stage.ended(await stage.start(await stage.agree("hostile")))
    assert process["state"] == "TERMINATED"
    assert "ends-with-a-dot" in process["errorDetail"]
    arrived = await _contents(stage, process["dataDestination"]["container"])
    assert set(arrived) == {".failed"}


async def test_a_source_named_like_a_marker_is_refused_by_name(stage: Stage) -> None:
    await stage.upload(".complete", b"not a marker")
    await stage.offer("marker-like", blobName=".complete")
    process = await stage.ended(await stage.start(await stage.agree("marker-like")))
    assert process["state"] == "TERMINATED"
    assert ".complete" in process["errorDetail"]


async def test_a_container_that_exists_already_is_never_used(stage: Stage, container_name: str) -> None:
    await stage.upload("one.txt", b"one")
    await stage.offer("one", blobName="one.txt")
    async with stage.destination(container_name) as mine:
        await mine.create_container()
        await mine.upload_blob("keep.txt", b"mine")
    destination = {"type": "AzureStorage", "account": stage.consumer.account, "container": container_name}
    process = await stage.ended(await stage.start(await stage.agree("one"), dataDestination=destination))
    assert process["state"] == "TERMINATED"
    assert container_name in process["errorDetail"]
    await stage.deprovision(process["@id"])
    assert await _contents(stage, container_name) == {"keep.txt": b"mine"}


async def test_a_missing_account_key_names_the_alias_and_ends_the_transfer(stage: Stage) -> None:
    await stage.upload("two.txt", b"two")
    await stage.offer("two", blobName="two.txt")
    destination = {"type": "AzureStorage", "account": "unknownaccount"}
    process = await stage.ended(await stage.start(await stage.agree("two"), dataDestination=destination))
    assert process["state"] == "TERMINATED"
    assert "unknownaccount" in process["errorDetail"]
    assert process["errorCode"] == "SecretNotFound"


async def test_a_wrong_account_key_is_told_as_such(stage: Stage) -> None:
    await stage.upload("three.txt", b"three")
    await stage.offer("three", blobName="three.txt")
    vault = stage.consumer.open_vault()
    await vault.store("wrong-key", new_account_key())
    await vault.aclose()
    destination = {"type": "AzureStorage", "account": stage.consumer.account, "keyName": "wrong-key"}
    process = await stage.ended(await stage.start(await stage.agree("three"), dataDestination=destination))
    assert process["state"] == "TERMINATED"
    assert process["errorCode"] in {"AuthenticationFailed", "AuthorizationFailure"}


async def test_the_same_id_is_the_same_transfer_and_another_body_a_conflict(stage: Stage) -> None:
    await stage.upload("four.txt", b"four")
    await stage.offer("four", blobName="four.txt")
    agreement, process_id = await stage.agree("four"), _id()
    assert await stage.start(agreement, **{"@id": process_id}) == process_id
    assert await stage.start(agreement, **{"@id": process_id}) == process_id
    other = {"type": "AzureStorage", "account": stage.consumer.account, "folderName": "elsewhere"}
    with pytest.raises(ManagementError) as refusal:
        await stage.start(agreement, **{"@id": process_id}, dataDestination=other)
    assert refusal.value.status == 409
    assert (await stage.ended(process_id))["state"] == "COMPLETED"


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ({"contractId": "no-such-agreement"}, "contractId"),
        ({"assetId": "another-asset"}, "assetId"),
        ({"transferType": "AmazonS3-PUSH"}, "transferType"),
        ({"dataDestination": {"type": "AzureStorage", "account": "Bad_Account!"}}, "account"),
        ({"dataDestination": {"type": "AzureStorage", "account": "acct1", "container": "No"}}, "container"),
        ({"dataDestination": {"type": "AzureStorage", "account": "acct1", "folderName": "a/../b"}}, "folder"),
        ({"dataDestination": {"type": "Unknown"}}, "dataDestination"),
        ({"dataDestination": {"type": "AzureStorage", "account": "acct1", "accountKey": "x"}}, "'accountKey'"),
        ({"managedResources": False}, "container"),
        ({"@id": "../../etc/passwd"}, "@id"),
        ({"@context": 17}, "@context"),
    ],
)
async def test_a_bad_request_is_refused_by_the_name_of_the_member(
    stage: Stage, members: dict[str, Any], named: str
) -> None:
    await stage.upload("five.txt", b"five")
    async with stage.provider.client() as provider:
        known = await provider.call("POST", "/v3/assets/request", {})
    if not any(asset["@id"] == "five" for asset in known):
        await stage.offer("five", blobName="five.txt")
    agreement = await stage.agree("five")
    body = stage.request(agreement, **members)
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.post(
            f"{stage.consumer.management_url}/v3/transferprocesses",
            json=body,
            headers={"X-Api-Key": stage.consumer.api_key},
        )
    assert answer.status_code == 400, answer.text
    assert named.lower() in answer.text.lower()


async def test_an_agreement_of_somebody_else_is_not_ours_to_use(stage: Stage) -> None:
    await stage.upload("six.txt", b"six")
    await stage.offer("six", blobName="six.txt")
    agreement = await stage.agree("six")
    body = {**stage.request(agreement), "dataDestination": {"type": "AzureStorage", "account": "provideracct"}}
    async with stage.provider.client() as provider:
        with pytest.raises(ManagementError) as refusal:
            await provider.create("transferprocesses", body)
    assert refusal.value.status == 400
    assert "contractId" in refusal.value.message


async def test_wrong_key_large_body_and_malformed_body_get_clear_answers(stage: Stage) -> None:
    url = f"{stage.consumer.management_url}/v3/transferprocesses"
    key = {"X-Api-Key": stage.consumer.api_key, "Content-Type": "application/json"}
    async with httpx.AsyncClient(trust_env=False) as http:
        assert (await http.post(url, json={}, headers={"X-Api-Key": "wrong"})).status_code == 401
        assert (await http.post(url, json={})).status_code == 401
        too_large = b'{"a": "' + b"x" * (2 * 1024 * 1024) + b'"}'
        assert (await http.post(url, content=too_large, headers=key)).status_code == 413
        malformed = await http.post(url, content=b"{not json", headers=key)
        assert malformed.status_code == 400
        assert malformed.json()[0]["message"]


async def test_the_destination_shows_content_type_and_digest_of_the_source(stage: Stage) -> None:
    content = b"x" * 100_000
    await stage.upload("typed.bin", content)
    await stage.offer("typed", blobName="typed.bin")
    process = await stage.ended(await stage.start(await stage.agree("typed")))
    async with stage.destination(process["dataDestination"]["container"]) as client:
        properties = await client.get_blob_client("typed.bin").get_blob_properties()
    assert properties.content_settings.content_type == "application/octet-stream"
    assert properties.content_settings.content_md5 == hashlib.md5(content, usedforsecurity=False).digest()


async def test_a_client_can_cancel_a_running_transfer_and_both_sides_end(stage: Stage) -> None:
    size = 200 * 1024 * 1024
    await stage.upload("big/cancel.bin", bytes(size))
    await stage.offer("cancel", blobName="big/cancel.bin")
    process_id = await stage.start(await stage.agree("cancel"))
    assert 0 < await wait_for_bytes(stage.provider, process_id, 1024 * 1024) < size, "the flow was not running"
    async with stage.consumer.client() as consumer:
        body = {"@type": "TerminateTransfer", "reason": "no longer needed"}
        await consumer.call("POST", f"/v3/transferprocesses/{process_id}/terminate", body)
    for process in (await stage.ended(process_id), await stage.ended_at_provider(process_id)):
        assert process["state"] == "TERMINATED"
        assert "no longer needed" in process["errorDetail"]

    flow = await flow_status(stage.provider, process_id)
    assert flow["state"] == "TERMINATED"
    assert flow["progress"]["bytesCopied"] < size
    for _ in range(20):  # the status of a flow that still copied would move within one of these
        await asyncio.sleep(0.05)
        assert await flow_status(stage.provider, process_id) == flow
    container = (await stage.ended(process_id))["dataDestination"]["container"]
    assert set(await _contents(stage, container)) <= {".failed"}
    await stage.deprovision(process_id)


async def test_a_transfer_can_be_suspended_and_resumed_by_the_consumer(stage: Stage) -> None:
    content = bytes(160 * 1024 * 1024)
    await stage.upload("big/pause.bin", content)
    await stage.offer("pause", blobName="big/pause.bin")
    process_id = await stage.start(await stage.agree("pause"))
    path = f"/v3/transferprocesses/{process_id}"
    async with stage.consumer.client() as consumer:
        while await consumer.transfer_state(process_id) != "STARTED":
            assert await consumer.transfer_state(process_id) not in {"COMPLETED", "TERMINATED"}
        await consumer.call("POST", f"{path}/suspend", {"@type": "SuspendTransfer", "reason": "pause"})
        while (state := await consumer.transfer_state(process_id)) != "SUSPENDED":
            assert state in {"STARTED", "SUSPENDING"}, state
        await consumer.call("POST", f"{path}/resume")
    process = await stage.ended(process_id)
    assert process["state"] == "COMPLETED", process
    async with stage.destination(process["dataDestination"]["container"]) as client:
        assert (await client.get_blob_client("big/pause.bin").get_blob_properties()).size == len(content)
