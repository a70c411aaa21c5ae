"""Pulls: the provider gives access and waits; the consumer reads, by itself or by its client."""

from typing import Any

import pytest

from connector_spi.data_address import DataAddressMessage
from data_plane.domain.data_flow import DataFlowRole
from data_plane.domain.transfer_profile import Direction, TransferProfile
from tests.unit.data_plane.plane import PlaneInMemory, start_message

FLOW = "/dataflows/process-1"
URL_PULL = "https://profiles.example/http-pull"
RENEWABLE = TransferProfile(name=URL_PULL, direction=Direction.PULL, address_type="HttpData", renewable=True)
DESTINATION = {"destination": {"type": "Memory", "properties": {"place": "ours"}}}


def pull_message(**changes: Any) -> dict[str, Any]:
    return start_message(**{"profile": "HttpData-PULL", "dataAddress": None, **changes})


def granted(properties: dict[str, str], *, kind: str = "HttpData") -> dict[str, Any]:
    listed = [{"name": name, "value": value} for name, value in properties.items()]
    return {"endpointType": kind, "endpoint": "https://provider.example/data", "endpointProperties": listed}


async def test_a_start_answers_the_address_and_only_the_vault_holds_what_opens_it() -> None:
    plane = PlaneInMemory()
    async with plane.client(working=False) as client:
        first = await client.post("/dataflows/start", json=pull_message())
        again = await client.post("/dataflows/start", json=pull_message())
    assert first.json() == again.json()
    address = DataAddressMessage.model_validate(first.json()["dataAddress"]).to_address()
    assert address.get("endpoint") == "https://public.example/public/flows/cHJvY2Vzcy0x/"
    assert (address.get("authType"), address.get("expiresIn")) == ("bearer", "60")
    flow = await plane.store.find("process-1")
    assert flow is not None
    assert flow.role is DataFlowRole.GRANTER
    for secret in (address.get("authorization"), address.get("refreshToken")):
        assert len(secret) > 40
        assert secret not in repr(flow) + repr(plane.store._answers)
        assert secret in plane.secrets["data-flow-process-1-issued"]


async def test_a_url_profile_has_its_own_type_and_plain_names() -> None:
    plane = PlaneInMemory(profiles=(RENEWABLE,))
    async with plane.client(working=False) as client:
        answer = await client.post("/dataflows/start", json=pull_message(profile=URL_PULL))
    address = answer.json()["dataAddress"]
    assert address["endpointType"] == URL_PULL
    assert {one["name"] for one in address["endpointProperties"]} == {
        "authType",
        "authorization",
        "expiresIn",
        "refreshEndpoint",
        "refreshToken",
    }


async def test_a_pull_start_that_brings_an_address_is_refused() -> None:
    async with PlaneInMemory().client(working=False) as client:
        answer = await client.post("/dataflows/start", json=pull_message(dataAddress=granted({})))
    assert (answer.status_code, "dataAddress" in answer.json()["message"]) == (400, True)


async def test_a_dataset_is_found_by_its_id_when_the_message_says_nothing_of_the_source() -> None:
    plane = PlaneInMemory()
    async with plane.client(working=False) as client:
        known = await client.post("/dataflows/start", json=pull_message(metadata=None, datasetId="known-dataset"))
        unknown = await client.post("/dataflows/start", json=pull_message(processId="p2", metadata=None))
    flow = await plane.store.find("process-1")
    assert (known.status_code, unknown.status_code) == (200, 400)
    assert flow is not None
    assert flow.source is not None
    assert flow.source.get("place") == "known"


async def test_a_resume_gives_out_a_fresh_address_and_the_old_one_is_dead() -> None:
    plane = PlaneInMemory()
    async with plane.client(working=False) as client:
        first = (await client.post("/dataflows/start", json=pull_message())).json()["dataAddress"]
        await client.post(f"{FLOW}/suspend", json={"messageId": "s"})
        resumed = (await client.post(f"{FLOW}/resume", json={"messageId": "r", "dataAddress": first})).json()
    assert resumed["state"] == "STARTED"
    before, after = (
        DataAddressMessage.model_validate(address).to_address().get("authorization")
        for address in (first, resumed["dataAddress"])
    )
    flow = await plane.store.find("process-1")
    assert flow is not None
    assert flow.access is not None
    assert (flow.access.admits(before, at=plane.clock.now()), flow.access.admits(after, at=plane.clock.now())) == (
        False,
        True,
    )


async def test_the_end_of_a_pull_leaves_no_secret() -> None:
    plane = PlaneInMemory()
    async with plane.client() as client:
        await client.post("/dataflows/start", json=pull_message())
        await client.post(f"{FLOW}/completed")
        await plane.until("process-1", "COMPLETED")
        again = await client.post("/dataflows/start", json=pull_message())
    assert plane.secrets == {}
    assert "dataAddress" not in again.json()


async def test_a_consumer_without_a_destination_keeps_the_address_and_waits() -> None:
    plane = PlaneInMemory()
    address = granted({"authorization": "the-token", "authType": "bearer"})
    async with plane.client() as client:
        prepared = await client.post("/dataflows/prepare", json=pull_message(metadata=None))
        assert (prepared.json()["state"], "dataAddress" in prepared.json()) == ("PREPARED", False)
        started = await client.post(f"{FLOW}/started", json={"messageId": "s", "dataAddress": address})
        assert started.json()["state"] == "STARTED"
        flow = await plane.store.find("process-1")
        assert flow is not None
        assert flow.role is DataFlowRole.HOLDER
        assert "the-token" not in repr(flow)
        assert plane.secrets == {"data-flow-process-1-source-authorization": "the-token"}
        await client.post(f"{FLOW}/completed")
        await plane.until("process-1", "COMPLETED")
    assert plane.secrets == {}


async def test_a_consumer_with_a_destination_of_its_own_copies_and_says_so() -> None:
    plane = PlaneInMemory()
    plane.source.contents = {"a": b"1", "b": b"2"}
    async with plane.client() as client:
        await client.post("/dataflows/prepare", json=pull_message(profile="Memory-PULL", metadata=DESTINATION))
        address = granted({"place": "theirs", "secret": "their-signature"}, kind="Memory")
        started = await client.post(f"{FLOW}/started", json={"messageId": "s", "dataAddress": address})
        assert started.json()["state"] == "STARTED"
        await plane.until("process-1", "COMPLETED")
    assert plane.sink.objects == {"a": b"1", "b": b"2"}
    assert [kind for kind, _, _ in plane.control_plane.told if kind != "progress"] == ["completed"]
    assert (plane.preparer.released, plane.secrets) == ([("process-1", True)], {})


@pytest.mark.parametrize(("place", "status"), [("theirs", 200), ("elsewhere", 400)])
async def test_a_copy_goes_on_at_the_same_place_with_a_fresh_credential_alone(place: str, status: int) -> None:
    plane = PlaneInMemory()
    async with plane.client(working=False) as client:
        await client.post("/dataflows/prepare", json=pull_message(profile="Memory-PULL", metadata=DESTINATION))
        first = granted({"place": "theirs", "secret": "one"}, kind="Memory")
        await client.post(f"{FLOW}/started", json={"messageId": "s", "dataAddress": first})
        await client.post(f"{FLOW}/suspend", json={"messageId": "p"})
        fresh = granted({"place": place, "secret": "two"}, kind="Memory")
        answer = await client.post(f"{FLOW}/resume", json={"messageId": "r", "dataAddress": fresh})
    assert answer.status_code == status
    assert plane.secrets["data-flow-process-1-source"] == ("two" if status == 200 else "one")


async def test_a_credential_that_the_end_of_the_flow_overtakes_is_not_left_in_the_vault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plane = PlaneInMemory()
    fresh = granted({"place": "theirs", "secret": "two"}, kind="Memory")
    async with plane.client() as client:
        await client.post("/dataflows/prepare", json=pull_message(profile="Memory-PULL", metadata=DESTINATION))
        store_secret = plane.vault.store

        async def overtaken(name: str, value: str) -> None:
            await client.post(f"{FLOW}/terminate", json={"messageId": "t"})
            await plane.until("process-1", "TERMINATED")
            await store_secret(name, value)

        monkeypatch.setattr(plane.vault, "store", overtaken)
        late = await client.post(f"{FLOW}/started", json={"messageId": "s", "dataAddress": fresh})
    assert (late.status_code, plane.secrets) == (409, {})


async def test_a_copying_consumer_needs_an_address() -> None:
    async with PlaneInMemory().client(working=False) as client:
        await client.post("/dataflows/prepare", json=pull_message(profile="Memory-PULL", metadata=DESTINATION))
        answer = await client.post(f"{FLOW}/started", json={"messageId": "s"})
        status = await client.get(f"{FLOW}/status")
    assert (answer.status_code, status.json()["state"]) == (400, "PREPARED")


async def test_the_other_side_cannot_choose_which_of_our_technologies_is_used() -> None:
    plane = PlaneInMemory()
    own_disk = granted({"path": "payroll"}, kind="Memory")
    async with plane.client(working=False) as client:
        sent = start_message(profile="AzureStorage-PUSH", dataAddress=own_disk)
        written = await client.post("/dataflows/start", json=sent)
        fetching = pull_message(processId="p2", profile="HttpData-PULL", metadata=DESTINATION)
        assert (await client.post("/dataflows/prepare", json=fetching)).status_code == 200
        read = await client.post("/dataflows/p2/started", json={"messageId": "s", "dataAddress": own_disk})
    assert (written.status_code, read.status_code) == (400, 400)
    assert "dataAddress.endpointType" in written.json()["message"]
    assert "dataAddress.endpointType" in read.json()["message"]


@pytest.mark.parametrize("missing", ["refreshToken", "expiresIn"])
async def test_a_renewable_profile_takes_renewable_addresses_alone(missing: str) -> None:
    plane = PlaneInMemory(profiles=(RENEWABLE,))
    renewal = {"authorization": "t", "refreshToken": "r", "expiresIn": "300"}
    renewal.pop(missing)
    async with plane.client(working=False) as client:
        await client.post("/dataflows/prepare", json=pull_message(profile=URL_PULL, metadata=None))
        answer = await client.post(
            f"{FLOW}/started", json={"messageId": "s", "dataAddress": granted(renewal, kind=URL_PULL)}
        )
    assert (answer.status_code, plane.secrets) == (400, {})


async def test_the_receiver_of_a_push_takes_no_address_with_started() -> None:
    async with PlaneInMemory().client(working=False) as client:
        await client.post("/dataflows/prepare", json=pull_message(profile="Memory-PUSH", metadata=DESTINATION))
        answer = await client.post(f"{FLOW}/started", json={"messageId": "s", "dataAddress": granted({})})
    assert answer.status_code == 400


async def test_a_second_start_resumes_a_suspended_flow_where_that_is_configured() -> None:
    for compatible, expected in ((True, 200), (False, 409)):
        async with PlaneInMemory(start_resumes_suspended=compatible).client(working=False) as client:
            await client.post("/dataflows/start", json=start_message())
            assert (await client.post("/dataflows/start", json=start_message(messageId="m2"))).status_code == 409
            await client.post(f"{FLOW}/suspend", json={"messageId": "s"})
            answer = await client.post("/dataflows/start", json=start_message(messageId="m3"))
            assert answer.status_code == expected


@pytest.mark.parametrize("name", ["unknown", "https://profiles.example/unknown-push", "-PUSH"])
async def test_an_unknown_profile_is_refused_by_name(name: str) -> None:
    async with PlaneInMemory(profiles=(RENEWABLE,)).client(working=False) as client:
        answer = await client.post("/dataflows/start", json=start_message(profile=name))
    assert (answer.status_code, URL_PULL in answer.json()["message"]) == (400, True)


async def test_nulls_and_edcs_older_spelling_are_taken() -> None:
    message = {**start_message(), "transferType": "Memory-PUSH", "callbackAddress": None, "labels": None}
    message.pop("profile")
    message["claims"] = None
    async with PlaneInMemory().client(working=False) as client:
        answer = await client.post("/dataflows/start", json=message)
    assert answer.status_code == 200
