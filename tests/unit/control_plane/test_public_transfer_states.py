"""Which of the protocol's states a transfer shows: a move counts once whoever did not make it has acknowledged it."""

import pytest

from control_plane.domain.inbox import FROM_COUNTERPARTY, InboxMessage
from control_plane.domain.transfer_process import TransferProcess, TransferProcessState, TransferProcessType
from control_plane.domain.transfer_state_machine import TransferEvent, after_waiting, fire
from tests.control_plane_entities import moment, transfer_process
from tests.unit.control_plane.protocol_rig import ProtocolRig

S = TransferProcessState
E = TransferEvent
CONSUMER, PROVIDER = TransferProcessType.CONSUMER, TransferProcessType.PROVIDER


def process_in(side: TransferProcessType, state: TransferProcessState) -> TransferProcess:
    return transfer_process(type=side, state=state)


OPEN_MOVES = [
    (CONSUMER, S.STARTED, [E.SUSPEND], S.STARTED),
    (CONSUMER, S.STARTED, [E.SUSPEND, E.FINISH_SUSPENSION], S.SUSPENDED),
    (CONSUMER, S.STARTED, [E.SUSPEND_BY_COUNTERPARTY], S.SUSPENDED),
    (CONSUMER, S.STARTED, [E.COMPLETE], S.STARTED),
    (CONSUMER, S.STARTED, [E.COMPLETE_BY_COUNTERPARTY], S.COMPLETED),
    (CONSUMER, S.STARTED, [E.TERMINATE], S.STARTED),
    (CONSUMER, S.REQUESTED, [E.TERMINATE], S.REQUESTED),
    (CONSUMER, S.REQUESTED, [E.TERMINATE_BY_COUNTERPARTY], S.TERMINATED),
    (CONSUMER, S.REQUESTED, [E.START], S.STARTED),
    (CONSUMER, S.SUSPENDED, [E.RESUME], S.SUSPENDED),
    (CONSUMER, S.SUSPENDED, [E.RESUME, E.FINISH_RESUME_REQUEST], S.SUSPENDED),
    (CONSUMER, S.SUSPENDED, [E.RESUME, E.FINISH_RESUME_REQUEST, E.START], S.STARTED),
    (CONSUMER, S.SUSPENDED, [E.RESUME, E.TERMINATE], S.SUSPENDED),
    (CONSUMER, S.COMPLETING_REQUESTED, [E.TERMINATE], S.COMPLETED),
    (PROVIDER, S.SUSPENDED, [E.RESUME_BY_COUNTERPARTY], S.SUSPENDED),
    (PROVIDER, S.SUSPENDED, [E.RESUME_BY_COUNTERPARTY, E.START], S.STARTED),
    (PROVIDER, S.SUSPENDED, [E.COMPLETE], S.SUSPENDED),
    (PROVIDER, S.SUSPENDED, [E.COMPLETE, E.TERMINATE], S.SUSPENDED),
    (PROVIDER, S.SUSPENDING, [E.COMPLETE], S.STARTED),
    (PROVIDER, S.STARTED, [E.COMPLETE, E.FINISH_COMPLETION], S.COMPLETED),
]


@pytest.mark.parametrize(("side", "state", "events", "public"), OPEN_MOVES)
def test_a_move_of_this_side_is_public_once_it_is_acknowledged_and_not_before(
    side: TransferProcessType, state: TransferProcessState, events: list[TransferEvent], public: TransferProcessState
) -> None:
    process = process_in(side, state)
    for event in events:
        process = fire(process, event, at=moment(1))
    assert process.public_state is public


@pytest.mark.parametrize(
    ("side", "state", "waiting", "public"),
    [
        (PROVIDER, S.STARTED, [E.SUSPEND_BY_COUNTERPARTY], S.SUSPENDED),
        (PROVIDER, S.STARTED, [E.SUSPEND_BY_COUNTERPARTY, E.TERMINATE_BY_COUNTERPARTY], S.TERMINATED),
        (PROVIDER, S.STARTED, [E.SUSPEND], S.STARTED),
        (PROVIDER, S.STARTING, [], S.REQUESTED),
        (PROVIDER, S.STARTING, [E.SUSPEND_BY_COUNTERPARTY], S.SUSPENDED),
        (PROVIDER, S.STARTING, [E.COMPLETE_BY_COUNTERPARTY], S.COMPLETED),
        (CONSUMER, S.REQUESTING, [E.START], S.STARTED),
        (CONSUMER, S.SUSPENDING, [E.START], S.STARTED),
        (CONSUMER, S.STARTED, [E.FINISH_REQUEST], S.STARTED),
    ],
)
def test_what_was_acknowledged_counts_before_it_is_applied(
    side: TransferProcessType, state: TransferProcessState, waiting: list[TransferEvent], public: TransferProcessState
) -> None:
    assert after_waiting(process_in(side, state), waiting).public_state is public


@pytest.mark.parametrize(
    ("side", "state", "waiting", "shown"),
    [
        (PROVIDER, S.STARTING, ["command-1 SUSPEND"], "REQUESTED"),
        (PROVIDER, S.STARTING, ["flow-COMPLETE COMPLETE"], "REQUESTED"),
        (PROVIDER, S.STARTING, ["command-1 TERMINATE", f"{FROM_COUNTERPARTY}1 SUSPEND_BY_COUNTERPARTY"], "SUSPENDED"),
        (CONSUMER, S.SUSPENDING, ["command-1 RESUME"], "STARTED"),
        (CONSUMER, S.REQUESTED, ["evidence-START START"], "REQUESTED"),
        (CONSUMER, S.REQUESTED, [f"{FROM_COUNTERPARTY}1 START"], "STARTED"),
    ],
)
async def test_what_waits_and_is_this_sides_own_is_not_shown(
    protocol: ProtocolRig, side: TransferProcessType, state: TransferProcessState, waiting: list[str], shown: str
) -> None:
    await protocol.stores.transfer_processes.create(process_in(side, state), due_at=None)
    for message_id, kind in (message.split() for message in waiting):
        note = InboxMessage(id=message_id, kind=kind, received_at=moment(1))
        await protocol.stores.transfer_processes.append("t-1", note, lambda _process, _pending: None)
    assert (await protocol.call("GET", "transfers/t-1")).json()["state"] == shown
