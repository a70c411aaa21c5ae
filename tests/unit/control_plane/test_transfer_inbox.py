"""Whatever comes, in whatever order, and however steps fail: a process never takes a way that does not exist."""

import asyncio
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from connector_spi.errors import InvalidTransitionError
from control_plane.domain.inbox import WAKE, InboxMessage
from control_plane.domain.transfer_process import (
    ResourcePhase,
    TransferProcess,
    TransferProcessState,
    TransferProcessType,
)
from control_plane.domain.transfer_state_machine import MACHINES, TransferEvent
from control_plane.ports.completion_evidence import Arrived
from control_plane.services.transfer_inbox import apply_inbox
from tests.control_plane_entities import NOW, transfer_process
from tests.fakes import unavailable
from tests.unit.control_plane.transfer_rig import TransferRig

S = TransferProcessState
E = TransferEvent

FROM_OUTSIDE = {
    TransferProcessType.CONSUMER: [
        *(E.START, E.SUSPEND, E.SUSPEND_BY_COUNTERPARTY, E.RESUME, E.COMPLETE_BY_COUNTERPARTY, E.COMPLETE_BY_EVIDENCE),
        *(E.TERMINATE, E.TERMINATE_BY_COUNTERPARTY),
    ],
    TransferProcessType.PROVIDER: [
        *(E.CONFIRM_STARTUP, E.SUSPEND, E.SUSPEND_BY_COUNTERPARTY, E.RESUME, E.RESUME_BY_COUNTERPARTY, E.COMPLETE),
        *(E.TERMINATE, E.TERMINATE_BY_COUNTERPARTY),
    ],
}
"""What commands, counterparties, data planes and sweeps may say to each side."""

RESOURCE_ORDER = [ResourcePhase.NONE, *(p for p in ResourcePhase if p is not ResourcePhase.NONE)]

anything = st.sampled_from(list(E)).map(lambda event: event.value) | st.sampled_from([WAKE, "DEPROVISION"])


@given(
    side=st.sampled_from(TransferProcessType),
    state=st.sampled_from(S),
    resources=st.sampled_from(ResourcePhase),
    kinds=st.lists(anything, max_size=8),
)
@example(TransferProcessType.CONSUMER, S.STARTUP_REQUESTED, ResourcePhase.NONE, ["COMPLETE"])
@settings(max_examples=400)
def test_no_inbox_raises_and_each_message_is_applied_at_most_once(
    side: TransferProcessType, state: S, resources: ResourcePhase, kinds: list[str]
) -> None:
    inbox = [InboxMessage(id=str(at), kind=kind, received_at=NOW) for at, kind in enumerate(kinds)]
    before = transfer_process(type=side, state=state, resources=resources)
    after, applied = apply_inbox(before, inbox, NOW)
    assert [message for message in inbox if message in applied] == applied
    assert _reachable(before, after)


def _reachable(before: TransferProcess, after: TransferProcess) -> bool:
    states, moves = {before.state}, MACHINES[before.type].moves
    while grown := {target for (source, _), target in moves.items() if source in states} - states:
        states |= grown
    return after.state in states and (not before.is_outcome or after.state is before.state)


_ENDING = frozenset(
    {TransferProcessState.TERMINATING, TransferProcessState.TERMINATING_REQUESTED, TransferProcessState.TERMINATED}
)


class _Interleaving:
    """Messages, lost answers and steps in an order that Hypothesis chooses."""

    def __init__(self, side: TransferProcessType) -> None:
        self.rig = TransferRig()
        self.rig.evidence.found["t-1"] = Arrived(object_count=0, bytes_total=0)
        self.rig.data_plane.pending = True
        self.side = side
        self.seen: list[TransferProcess] = []

    async def play(self, script: list[Any]) -> None:
        await (self.rig.consumer() if self.side is TransferProcessType.CONSUMER else self.rig.provider())
        for act in script:
            if act == "step":
                await self.rig.step()
            elif act == "fail":
                for outside in (self.rig.client, self.rig.data_plane, self.rig.provisioner):
                    outside.always = {} if outside.always else dict.fromkeys(_CALLS, unavailable())
            elif act == "later":
                self.rig.clock.advance(61)
            elif act == "deprovision" and (await self.rig.now()).is_outcome:
                await self.rig.deprovision()
            elif isinstance(act, TransferEvent):
                await self._tell(act)
            self.seen.append(await self.rig.now())
        self.check()

    async def _tell(self, event: TransferEvent) -> None:
        try:
            await self.rig.tell(event, {"code": event.value, "message": f"{event.value} number {len(self.seen)}"})
        except InvalidTransitionError:
            return

    def check(self) -> None:
        for before, after in zip(self.seen, self.seen[1:], strict=False):
            assert _reachable(before, after), f"{before.state.name} -> {after.state.name}"
            assert RESOURCE_ORDER.index(after.resources) >= RESOURCE_ORDER.index(before.resources)
            if before.error is not None and before.state in _ENDING:
                assert after.error == before.error, "the first reason of an end stays; that of a pause ends with it"
            if before.is_outcome:
                assert (after.state, after.error) == (before.state, before.error), "the outcome stays"


_CALLS = (
    *("provision", "revoke", "deprovision", "start", "suspend", "resume", "terminate", "request_transfer"),
    *("start_transfer", "complete_transfer", "suspend_transfer", "terminate_transfer"),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(side=st.sampled_from(TransferProcessType), data=st.data())
def test_no_interleaving_takes_a_way_that_does_not_exist(side: TransferProcessType, data: st.DataObject) -> None:
    acts = st.sampled_from([*FROM_OUTSIDE[side], *["step"] * 6, "fail", "later", "deprovision"])
    script = data.draw(st.lists(acts, min_size=5, max_size=40))
    asyncio.run(_Interleaving(side).play(script))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(side=st.sampled_from(TransferProcessType), data=st.data())
def test_after_any_interleaving_an_end_is_reached_and_no_secret_is_left(
    side: TransferProcessType, data: st.DataObject
) -> None:
    script = data.draw(st.lists(st.sampled_from([*FROM_OUTSIDE[side], "step"]), max_size=20))

    async def play() -> None:
        interleaving = _Interleaving(side)
        await interleaving.play(script)
        rig = interleaving.rig
        for _ in range(4):
            await rig.run()
            rig.clock.advance(1001)
        await rig.run()
        ended = await rig.now()
        assert ended.is_outcome
        assert (rig.secrets, rig.provisioner.valid, ended.secret_alias) == ({}, set(), None)
        assert await rig.due_at() is None
        assert rig.data_plane.running == set() or ended.state is S.COMPLETED

    asyncio.run(play())
