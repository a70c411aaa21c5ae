"""A data plane parks a flow: the transfer pauses on both sides, and says why for as long as it is paused."""

from typing import Any

import pytest

from control_plane.domain.inbox import InboxMessage
from control_plane.domain.transfer_process import (
    TransferError,
    TransferProcess,
    TransferProcessState,
    TransferProcessType,
)
from control_plane.domain.transfer_state_machine import TransferEvent
from control_plane.ports.stores import Stores
from control_plane.services.transfer_inbox import apply_inbox
from tests.control_plane_entities import NOW, transfer_process
from tests.loopback_server import answering, loopback_server
from tests.unit.control_plane.test_dsp_client import client, sent, transfer
from tests.unit.control_plane.test_signaling_api import call, known, waiting

S, E = TransferProcessState, TransferEvent
REASON = "CredentialExpired: The signature ends at noon."


def noted(process: TransferProcess, event: TransferEvent, **payload: Any) -> TransferProcess:
    note = InboxMessage(id=f"note-{event}", kind=event.value, payload=payload, received_at=NOW)
    after, applied = apply_inbox(process, [note], NOW)
    assert applied == [note]
    return after


def paused() -> TransferProcess:
    process = transfer_process(type=TransferProcessType.PROVIDER, state=S.STARTED, data_plane_id="plane-1")
    return noted(process, E.SUSPEND, code="DataFlowSuspended", message=REASON)


async def parked(stores: Stores, message_id: str) -> None:
    body = {"messageId": message_id, "dataFlowId": "t-1", "state": "SUSPENDED", "reason": REASON}
    assert (await call(stores, "suspended", body)).status_code == 200


async def test_a_parked_flow_pauses_its_transfer_each_time_that_it_is_parked(stores: Stores) -> None:
    await known(stores, S.STARTED)
    for message_id in ("first", "second"):
        await parked(stores, message_id)
        await parked(stores, message_id)
        [leased] = await stores.transfer_processes.lease_due(now=NOW, limit=1, lease_seconds=60, owner="test")
        [note] = leased.inbox
        assert (note.kind, note.payload["message"]) == ("SUSPEND", REASON)
        # It was paused and resumed since then.
        await stores.transfer_processes.save(leased.entity, epoch=leased.epoch, applied=leased.inbox, due_at=None)
    await parked(stores, "second")
    assert await waiting(stores) == []


async def test_the_reason_is_kept_without_signatures(stores: Stores) -> None:
    await known(stores, S.STARTED)
    await call(stores, "suspended", {"reason": "PUT https://a.example/x?sig=PLANTED"})
    [note] = await waiting(stores)
    assert "PLANTED" not in note.payload["message"]


async def test_another_data_plane_cannot_pause_it(stores: Stores) -> None:
    await known(stores, S.STARTED)
    assert (await call(stores, "suspended", token="second")).status_code == 404
    assert await waiting(stores) == []


def test_the_reason_stands_in_the_process_while_it_is_paused() -> None:
    process = paused()
    assert process.state is S.SUSPENDING
    assert process.error == TransferError(code="DataFlowSuspended", message=REASON)


@pytest.mark.parametrize("event", [E.RESUME, E.RESUME_BY_COUNTERPARTY])
def test_it_is_gone_once_the_transfer_goes_on(event: TransferEvent) -> None:
    process = noted(paused().entered(S.SUSPENDED, NOW), event)
    assert process.error is None


def test_what_ends_a_paused_transfer_is_its_reason_then() -> None:
    process = noted(paused().entered(S.SUSPENDED, NOW), E.TERMINATE, code="ByClient", message="Enough.")
    assert process.error == TransferError(code="ByClient", message="Enough.")


async def test_the_consumer_is_told_the_reason() -> None:
    async with loopback_server(answering()) as server, client() as dsp:
        await dsp.suspend_transfer(transfer(server, correlation_id="p", error=paused().error))
    _, body = sent(server)
    assert (body["@type"], body["code"], body["reason"]) == (
        "TransferSuspensionMessage",
        "DataFlowSuspended",
        [REASON],
    )
