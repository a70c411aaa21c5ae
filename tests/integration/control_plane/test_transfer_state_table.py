"""The transfer process of the Dataspace Protocol 2025-1, restated: what each message is answered, and what is shown.

A real control plane over SQLite and HTTP; the counterparty and the data plane are scripted. It is what the public
conformance kit asks (TP and TP_C), and the pairs that the kit leaves out.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from control_plane.domain.transfer_process import TransferProcessType
from tests.integration.control_plane.transfer_stage import (
    CONSUMER,
    PROVIDER,
    PULL,
    PUSH,
    TransferStage,
    transfer_stage,
)

NO = "refused"

TABLE = {
    # What the consumer may say to the provider ...
    PROVIDER: """
        in          start      suspension  completion  termination
        REQUESTED   refused    refused     refused     TERMINATED
        STARTED     STARTED    SUSPENDED   COMPLETED   TERMINATED
        SUSPENDED   STARTED    SUSPENDED   refused     TERMINATED
        COMPLETED   refused    refused     COMPLETED   refused
        TERMINATED  refused    refused     refused     TERMINATED
    """,
    # ... and the provider to the consumer. What says that which is so already is acknowledged, and changes nothing.
    CONSUMER: """
        in          start      suspension  completion  termination
        REQUESTED   STARTED    refused     refused     TERMINATED
        STARTED     STARTED    SUSPENDED   COMPLETED   TERMINATED
        SUSPENDED   STARTED    SUSPENDED   refused     TERMINATED
        COMPLETED   refused    refused     COMPLETED   refused
        TERMINATED  refused    refused     refused     TERMINATED
    """,
}


def rows(side: TransferProcessType) -> dict[str, dict[str, str]]:
    head, *lines = (line.split() for line in TABLE[side].strip().splitlines())
    return {state: dict(zip(head[1:], after, strict=True)) for state, *after in lines}


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[TransferStage]:
    async with transfer_stage(tmp_path) as opened:
        yield opened


@pytest.mark.parametrize("state", ["REQUESTED", "STARTED", "SUSPENDED", "COMPLETED", "TERMINATED"])
@pytest.mark.parametrize(("side", "transfer_type"), [(PROVIDER, PULL), (PROVIDER, PUSH), (CONSUMER, PULL)])
async def test_each_message_in_each_state(
    stage: TransferStage, side: TransferProcessType, transfer_type: str, state: str
) -> None:
    for name, after in rows(side)[state].items():
        await stage.reach(side, state, transfer_type)
        assert await stage.shown() == state
        answer = await stage.say(name)
        if after == NO:
            assert answer.status_code == 400, f"{name} in {state}"
            body = answer.json()
            assert (body["@type"], body["code"]) == ("TransferError", "InvalidTransition")
            assert {body["consumerPid"], body["providerPid"]} == {stage.pid, stage.peer.pid}
        else:
            assert answer.status_code == 200, f"{name} in {state}: {answer.text}"
        await stage.at_rest()
        await stage.shows(state if after == NO else after)


COMMANDS = {
    (PROVIDER, "REQUESTED"): [("start", "start", "STARTED"), ("terminate", "termination", "TERMINATED")],
    (PROVIDER, "STARTED"): [
        ("suspend", "suspension", "SUSPENDED"),
        ("complete", "completion", "COMPLETED"),
        ("terminate", "termination", "TERMINATED"),
    ],
    (PROVIDER, "SUSPENDED"): [("resume", "start", "STARTED"), ("terminate", "termination", "TERMINATED")],
    (CONSUMER, "REQUESTED"): [("terminate", "termination", "TERMINATED")],
    (CONSUMER, "STARTED"): [
        ("suspend", "suspension", "SUSPENDED"),
        ("complete", "completion", "COMPLETED"),
        ("terminate", "termination", "TERMINATED"),
    ],
    (CONSUMER, "SUSPENDED"): [("terminate", "termination", "TERMINATED")],
}
"""What our clients may wish, which message that sends, and what it leads to. Resumption by a consumer is elsewhere."""


async def command(stage: TransferStage, name: str) -> None:
    transfers = stage.plane.transfers
    if name in {"suspend", "terminate"}:
        await getattr(transfers, name)(stage.pid, "the client wishes so")
    else:
        await getattr(transfers, name)(stage.pid)


@pytest.mark.parametrize(("side", "state"), COMMANDS)
async def test_a_move_of_ours_is_shown_once_the_counterparty_has_acknowledged_it(
    stage: TransferStage, side: TransferProcessType, state: str
) -> None:
    for wish, name, after in COMMANDS[side, state]:
        await stage.reach(side, state)
        stage.peer.told.clear()
        stage.peer.held.add(name)
        await command(stage, wish)
        await stage.heard(name)
        assert await stage.shown() == state, f"{name} is not acknowledged yet"
        stage.peer.release()
        await stage.shows(after)
        assert stage.peer.messages() == [name]


async def test_a_move_that_could_not_be_delivered_is_sent_again_as_the_same_message(stage: TransferStage) -> None:
    await stage.reach(PROVIDER, "STARTED")
    stage.peer.answers["suspension"] = 503
    await command(stage, "suspend")
    await stage.heard("suspension", times=3)
    assert await stage.shown() == "STARTED"
    stage.peer.answers.clear()
    await stage.shows("SUSPENDED")
    assert len({body["@id"] for name, body in stage.peer.told if name == "suspension"}) == 1


@pytest.mark.parametrize("side", [CONSUMER, PROVIDER])
async def test_what_was_acknowledged_is_shown_at_once_though_a_step_is_under_way(
    stage: TransferStage, side: TransferProcessType
) -> None:
    """The messages wait for the lease holder; whoever sent them has our word already."""
    await stage.reach(side, "STARTED")
    stage.peer.held.add("suspension")
    await command(stage, "suspend")
    await stage.heard("suspension")
    assert (await stage.say("completion")).status_code == 200
    assert await stage.shown() == "COMPLETED"
    assert (await stage.say("suspension")).status_code == 400
    stage.peer.answers["suspension"] = 400
    stage.peer.release()
    await stage.internally("COMPLETED")


@pytest.mark.parametrize("side", [CONSUMER, PROVIDER])
@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("suspension", "STARTED", "SUSPENDED"),
        ("start", "SUSPENDED", "STARTED"),
        ("termination", "STARTED", "TERMINATED"),
    ],
)
async def test_the_same_message_again_is_acknowledged_whatever_has_happened_since(
    stage: TransferStage, side: TransferProcessType, name: str, before: str, after: str
) -> None:
    await stage.reach(side, before)
    for _ in range(2):
        assert (await stage.say(name, **{"@id": "urn:uuid:said-before"})).status_code == 200
        await stage.shows(after)
    if after != "TERMINATED":
        assert (await stage.say("termination")).status_code == 200
        assert (await stage.say(name, **{"@id": "urn:uuid:said-before"})).status_code == 200
        await stage.internally("TERMINATED")


async def test_the_same_request_again_is_the_same_process_and_another_one_under_its_id_is_refused(
    stage: TransferStage,
) -> None:
    await stage.begin(PROVIDER)
    members = {"consumerPid": stage.peer.pid, "agreementId": "agreed-as-provider"}
    again = await stage.peer.request(stage.address, **members, format=PULL)
    assert (again.status_code, again.json()["providerPid"]) == (201, stage.pid)
    other = await stage.peer.request(stage.address, **members, format=PUSH)
    assert (other.status_code, other.json()["@type"]) == (400, "TransferError")
    assert "consumerPid" in other.json()["reason"][0]


async def test_a_pull_may_start_without_a_data_address_and_has_no_reference_then(stage: TransferStage) -> None:
    await stage.begin(CONSUMER)
    assert (await stage.say("start")).status_code == 200
    await stage.internally("STARTED")
    assert stage.secrets == {}
