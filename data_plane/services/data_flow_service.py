"""DataFlowService: what the messages about a flow that is there do to it.

The same message again gets the same answer and does nothing; a change of state and the answer to its message are
stored together. The copying itself is the manager's. `caller` is the registered control plane that sent the message,
or nothing; flows of another one do not exist for it.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from connector_spi.clock import Clock
from connector_spi.data_address import DataAddressMessage
from connector_spi.errors import InvalidTransitionError, NotFoundError
from connector_spi.signaling import (
    DataFlowResumeMessage,
    DataFlowStartedNotificationMessage,
    DataFlowState,
    DataFlowStatusMessage,
    DataFlowStatusResponseMessage,
)
from data_plane.domain.data_flow import DataFlow, DataFlowRole
from data_plane.domain.data_flow_state_machine import DataFlowEvent, fire
from data_plane.domain.errors import StaleDataFlowError
from data_plane.ports.data_flow_store import Answer, DataFlowStore
from data_plane.services.credential_intake import CredentialIntake
from data_plane.services.data_flow_manager import DataFlowManager
from data_plane.services.flow_on_wire import failure_on_wire, reason_on_wire
from data_plane.services.flow_readiness import FlowReadiness
from data_plane.services.progress_meter import progress_of
from data_plane.services.received_addresses import ReceivedAddresses
from data_plane.services.wake_up import WakeUp

_RECEIVING: Final = frozenset({DataFlowState.PREPARED, DataFlowState.STARTED})
_MAX_COLLISIONS: Final = 20
"""How often a change is tried again when the flow was changed meanwhile."""

Body = Mapping[str, Any]
"""JSON of an answer."""

Change = Callable[[DataFlow, DataFlow], Awaitable[tuple[DataFlow, Mapping[str, str]]]]
"""The flow before and after its event -> the flow that is saved, and the secrets that go to the vault for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFlowService:
    """Use cases of the signaling API. Errors of the store and the vault pass through."""

    store: DataFlowStore
    intake: CredentialIntake
    received: ReceivedAddresses
    readiness: FlowReadiness
    manager: DataFlowManager
    owed_wake_up: WakeUp
    clock: Clock

    async def started(self, flow_id: str, message: DataFlowStartedNotificationMessage, caller: str = "") -> Body:
        """The provider says that it has started; of a pull, with the address to read at.

        Raises:
            InvalidInputError: an address is there that must not be, or is not one that this flow can use.
        """

        async def with_address(before: DataFlow, moved: DataFlow) -> tuple[DataFlow, Mapping[str, str]]:
            if before.state is moved.state:
                return moved, {}
            return await self._with_received(moved, message.data_address)

        body = await self._apply(
            flow_id, message.message_id, DataFlowEvent.NOTIFY_STARTED, caller=caller, change=with_address
        )
        self.manager.wake()
        return body

    async def suspend(self, flow_id: str, message_id: str, reason: str, caller: str = "") -> Body:
        """Stop the bytes for now; what is published stays published."""
        body = await self._apply(flow_id, message_id, DataFlowEvent.SUSPEND, caller=caller, reason=reason)
        await self.manager.stop_flow(flow_id)
        return body

    async def resume(self, flow_id: str, message: DataFlowResumeMessage, caller: str = "") -> Body:
        """Go on, perhaps with a fresh credential; the side that gives the address gives a fresh one.

        Raises:
            InvalidInputError: the address changes more than the credential.
        """
        changed = message.data_address is not None

        async def with_credential(before: DataFlow, moved: DataFlow) -> tuple[DataFlow, Mapping[str, str]]:
            if moved.role in {DataFlowRole.RECEIVER, DataFlowRole.GRANTER}:
                # What is sent here is what we gave out before (EDC does so).
                return (moved, {}) if before.state is moved.state else await self._with_fresh_credential(moved)
            if message.data_address is None:
                return moved, {}
            return await self._with_received(moved, message.data_address)

        body = await self._apply(
            flow_id, message.message_id, DataFlowEvent.RESUME, caller=caller, change=with_credential
        )
        if changed:
            await self.manager.stop_flow(flow_id)
        self.manager.wake()
        return await self._with_issued(body, flow_id)

    async def credential(self, flow_id: str, caller: str = "") -> Body:
        """The address that a receiver prepared, with a credential that has a later end (this project's extension).

        The call may be repeated; its answer is not kept.

        Raises:
            InvalidTransitionError: the flow is not a receiver's that data may come to now.
        """
        flow = await self._existing(flow_id, caller)
        if flow.role is not DataFlowRole.RECEIVER or flow.state not in _RECEIVING:
            raise InvalidTransitionError(entity_id=flow.id, state=flow.state.value, event="CREDENTIAL")
        made = await self.readiness.made(flow)
        await self.intake.keep(flow_id, made.secrets)
        now = await self._existing(flow_id, caller)
        if now.is_final:
            # Its clean-up may be over: what was made anew has no other end.
            await self.intake.forget(made.secrets)
            await self.readiness.release(now)
            raise InvalidTransitionError(entity_id=now.id, state=now.state.value, event="CREDENTIAL")
        return await self._with_issued(status_body(now), flow_id)

    async def terminate(self, flow_id: str, message_id: str, reason: str, caller: str = "") -> Body:
        """Stop the bytes for good, and forget the credentials."""
        body = await self._apply(flow_id, message_id, DataFlowEvent.TERMINATE, caller=caller, reason=reason)
        await self.manager.stop_flow(flow_id)
        self.owed_wake_up.set()
        return body

    async def completed(self, flow_id: str, message_id: str | None, caller: str = "") -> Body:
        """The other side has found that everything is there."""
        body = await self._apply(flow_id, message_id, DataFlowEvent.COMPLETE, caller=caller)
        await self.manager.stop_flow(flow_id)
        self.owed_wake_up.set()
        return body

    async def status(self, flow_id: str, caller: str = "") -> Body:
        """State, progress and, when it failed, the reason."""
        flow = await self._existing(flow_id, caller)
        return DataFlowStatusResponseMessage(
            data_flow_id=flow.id,
            state=flow.state,
            progress=self.manager.progress_of(flow_id) or progress_of(flow.counters),
            reason=reason_on_wire(flow),
            failure=failure_on_wire(flow),
        ).model_dump(mode="json", by_alias=True, exclude_none=True)

    async def _with_received(
        self, flow: DataFlow, sent: DataAddressMessage | None
    ) -> tuple[DataFlow, Mapping[str, str]]:
        received = await self.received.taken_in(flow, sent)
        return received.flow, received.secrets

    async def _with_fresh_credential(self, flow: DataFlow) -> tuple[DataFlow, Mapping[str, str]]:
        made = await self.readiness.made(flow)
        return made.flow, made.secrets

    async def _with_issued(self, body: Body, flow_id: str) -> Body:
        flow = await self.store.find(flow_id)
        address = None if flow is None else await self.readiness.issued_on_wire(flow)
        return body if address is None else {**body, "dataAddress": address}

    async def _apply(
        self,
        flow_id: str,
        message_id: str | None,
        event: DataFlowEvent,
        *,
        caller: str,
        reason: str = "",
        change: Change | None = None,
    ) -> Body:
        """Fire the event and store the answer with the new state; the stored answer when the message is known."""
        operation = f"{event.value.lower()}:{flow_id}"
        kept: Mapping[str, str] = {}
        for _ in range(_MAX_COLLISIONS):
            flow = await self._existing(flow_id, caller)
            if flow.is_final:
                # It ended between our secret and our change: its own clean-up may be over.
                await self.intake.forget(kept)
            if message_id and (answer := await self.store.find_answer(message_id, operation)):
                return answer.body
            moved = fire(flow, event, at=self.clock.now())
            if change is not None:
                moved, kept = await change(flow, moved)
                await self.intake.keep(flow_id, kept)
            if moved is not flow and reason:
                moved = replace(moved, reason=reason)
            body = status_body(moved)
            try:
                await self.store.save(
                    self._owing(flow, moved),
                    answer=Answer(message_id, operation, body) if message_id else None,
                )
            except StaleDataFlowError:
                continue
            return body
        raise StaleDataFlowError(f"The flow {flow_id!r} changes too fast.")

    def _owing(self, before: DataFlow, after: DataFlow) -> DataFlow:
        return after if before.is_final or not after.is_final else after.ended(at=self.clock.now())

    async def _existing(self, flow_id: str, caller: str) -> DataFlow:
        flow = await self.store.find(flow_id)
        if flow is None or flow.control_plane_id != caller:
            raise NotFoundError(kind="Data flow", object_id=flow_id)
        return flow


def status_body(flow: DataFlow) -> dict[str, Any]:
    """The answer that names the flow and its state; holds no address."""
    return DataFlowStatusMessage(data_flow_id=flow.id, state=flow.state).wire()
