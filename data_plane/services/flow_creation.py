"""FlowCreation: `prepare` and `start`, which make flows: at once where that is possible, else answered with 202.

What a flow needs is tried while the control plane waits. When that takes longer than the answer may, or storage does
not answer, the flow is stored as PREPARING or STARTING and owes its readiness; the call-back tells when it is there.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from connector_spi.clock import Clock
from connector_spi.errors import TransientError
from connector_spi.signaling import (
    DataFlowBaseMessage,
    DataFlowPrepareMessage,
    DataFlowResumeMessage,
    DataFlowStartMessage,
    DataFlowState,
)
from data_plane.domain.data_flow import DataFlow, OwedWork
from data_plane.domain.errors import DataFlowExistsError
from data_plane.ports.data_flow_store import Answer, DataFlowStore
from data_plane.services.credential_intake import CredentialIntake
from data_plane.services.data_flow_service import Body, DataFlowService, status_body
from data_plane.services.flow_readiness import FlowReadiness, ReadyFlow
from data_plane.services.keyed_locks import KeyedLocks
from data_plane.services.new_flows import NewFlow, NewFlows


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowCreation:
    """Use cases of the signaling API. `caller`: the registered control plane that sent the message, or nothing."""

    store: DataFlowStore
    intake: CredentialIntake
    new_flows: NewFlows
    readiness: FlowReadiness
    flows: DataFlowService
    clock: Clock
    creating: KeyedLocks
    answer_within_seconds: float
    start_resumes_suspended: bool = False
    """Whether a second `start` for a suspended flow is its resume, as EDC up to 0.17 means it."""

    async def prepare(self, message: DataFlowPrepareMessage, caller: str = "") -> Body:
        """Make ready to receive; of a push, the answer holds the address with its credential.

        The credential rests in the vault until the flow ends; neither flow nor stored answer holds it.

        Raises:
            DataFlowExistsError: the process has a flow already, from another message.
            InvalidInputError, UnsupportedAddressTypeError: the message is wrong.
        """
        return await self._create("prepare", message, caller, lambda: self.new_flows.of_prepare(message, caller))

    async def start(self, message: DataFlowStartMessage, caller: str = "") -> Body:
        """Begin to copy, or give access; of a pull, the answer holds the address with its credential.

        Raises:
            As for `prepare`.
        """
        if self.start_resumes_suspended and await self._is_suspended(message.process_id, caller):
            resume = DataFlowResumeMessage(message_id=message.message_id, data_address=message.data_address)
            return await self.flows.resume(message.process_id, resume, caller)
        body = await self._create("start", message, caller, lambda: self.new_flows.of_start(message, caller))
        self.flows.manager.wake()
        return body

    async def _is_suspended(self, flow_id: str, caller: str) -> bool:
        flow = await self.store.find(flow_id)
        return flow is not None and flow.state is DataFlowState.SUSPENDED and flow.control_plane_id == caller

    async def _create(
        self, kind: str, message: DataFlowBaseMessage, caller: str, build: Callable[[], Awaitable[NewFlow]]
    ) -> Body:
        operation = f"{kind}:{message.process_id}"
        async with self.creating.holding(message.process_id):
            if (given := await self._given(operation, message, caller)) is not None:
                return given
            new = await build()
            ready = await self._ready_in_time(new, message)
            body = status_body(ready.flow)
            secrets = {**new.secrets, **ready.secrets}
            try:
                async with self.intake.keeping(ready.flow.id, secrets):
                    await self.store.add(ready.flow, Answer(message.message_id, operation, body))
            except DataFlowExistsError:
                if (given := await self._given(operation, message, caller)) is None:
                    raise
                return given
        self.flows.owed_wake_up.set()
        return await self._with_address(body, ready.flow)

    async def _given(self, operation: str, message: DataFlowBaseMessage, caller: str) -> Body | None:
        """What this very message was answered; None when its flow is new.

        Raises:
            DataFlowExistsError: the flow is there, from another message or of another control plane.
        """
        flow = await self.store.find(message.process_id)
        if flow is None:
            return None
        answer = await self.store.find_answer(message.message_id, operation)
        if answer is None or flow.control_plane_id != caller:
            raise DataFlowExistsError(flow_id=flow.id)
        return await self._with_address(answer.body, flow)

    async def _ready_in_time(self, new: NewFlow, message: DataFlowBaseMessage) -> ReadyFlow:
        if not new.profile.answers_later(message):
            try:
                async with asyncio.timeout(self.answer_within_seconds):
                    return await self.readiness.ready(new.flow)
            except (TimeoutError, TransientError):
                pass  # tried again as owed work, where it has all the time it needs
        late = self.readiness.late(new.flow)
        return ReadyFlow(late.owing(OwedWork.READINESS, at=self.clock.now()))

    async def _with_address(self, body: Mapping[str, Any], flow: DataFlow) -> Body:
        """The answer with the address that the other side gets, which is never stored with it."""
        if body["state"] not in {DataFlowState.PREPARED, DataFlowState.STARTED}:
            return body
        address = await self.readiness.issued_on_wire(flow)
        return body if address is None else {**body, "dataAddress": address}
