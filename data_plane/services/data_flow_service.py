"""DataFlowService: what each message of Data Plane Signaling does to a flow.

The same message again gets the same answer and does nothing; a change of state and the answer to its message are
stored together. The copying itself is the manager's.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from connector_spi.clock import Clock
from connector_spi.data_address import DataAddress
from connector_spi.errors import NotFoundError
from connector_spi.signaling import (
    DataFlowResumeMessage,
    DataFlowStartMessage,
    DataFlowStatusMessage,
    DataFlowStatusResponseMessage,
)
from data_plane.domain.data_flow import DataFlow, DataFlowRole, OwedWork
from data_plane.domain.data_flow_state_machine import DataFlowEvent, fire
from data_plane.domain.errors import DataFlowExistsError, StaleDataFlowError
from data_plane.ports.data_flow_store import Answer, DataFlowStore
from data_plane.ports.data_sink import DataSinkFactory
from data_plane.ports.data_source import DataSourceFactory
from data_plane.services.credential_intake import CredentialIntake, TakenAddress, taken
from data_plane.services.data_flow_manager import DataFlowManager
from data_plane.services.flow_addresses import address_in_metadata, check_same_place, destination_of
from data_plane.services.flow_on_wire import failure_on_wire
from data_plane.services.keyed_locks import KeyedLocks
from data_plane.services.progress_meter import progress_of
from data_plane.services.registry import FactoryRegistry
from data_plane.services.wake_up import WakeUp

_MAX_COLLISIONS: Final = 20
"""How often a change is tried again when the flow was changed meanwhile."""

Body = Mapping[str, Any]
"""JSON of an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFlowService:
    """Use cases of the signaling API. Errors of the store and the vault pass through."""

    store: DataFlowStore
    intake: CredentialIntake
    sources: FactoryRegistry[DataSourceFactory]
    sinks: FactoryRegistry[DataSinkFactory]
    manager: DataFlowManager
    owed_wake_up: WakeUp
    clock: Clock
    accepted_callback: Callable[[str | None], str]
    """The call-back base to keep for a flow: the sent address, when the operator allows it, or nothing."""
    creating: KeyedLocks

    async def start(self, message: DataFlowStartMessage) -> Body:
        """Begin to copy.

        Raises:
            DataFlowExistsError: the process has a flow already, from another message.
            InvalidInputError, UnsupportedAddressTypeError: source or destination is missing or wrong.
        """
        operation = f"start:{message.process_id}"
        async with self.creating.holding(message.process_id):
            if answer := await self.store.find_answer(message.message_id, operation):
                return answer.body
            if await self.store.find(message.process_id):
                raise DataFlowExistsError(flow_id=message.process_id)
            new, secrets = self._new_sender(message)
            flow = fire(new, DataFlowEvent.START, at=self.clock.now())
            body = status_body(flow)
            try:
                async with self.intake.keeping(flow.id, secrets):
                    await self.store.add(flow, Answer(message.message_id, operation, body))
            except DataFlowExistsError:
                answer = await self.store.find_answer(message.message_id, operation)
                if answer is None:
                    raise
                return answer.body
        self.manager.wake()
        return body

    async def started(self, flow_id: str, message_id: str) -> Body:
        """The sender says that it has started."""
        return await self._apply(flow_id, message_id, DataFlowEvent.NOTIFY_STARTED)

    async def suspend(self, flow_id: str, message_id: str, reason: str) -> Body:
        """Stop the bytes for now; what is published stays published."""
        body = await self._apply(flow_id, message_id, DataFlowEvent.SUSPEND, reason=reason)
        await self.manager.stop_flow(flow_id)
        return body

    async def resume(self, flow_id: str, message: DataFlowResumeMessage) -> Body:
        """Go on, perhaps with a fresh credential.

        Raises:
            InvalidInputError: the address changes more than the credential.
        """
        changed = message.data_address is not None

        async def with_credential(flow: DataFlow) -> DataFlow:
            if message.data_address is None:
                return flow
            destination = self._destination(flow.id, destination_of(message.data_address).address)
            check_same_place(flow.destination, destination.address)
            await self.intake.keep(destination.secrets)
            aliases = tuple(sorted({*flow.vault_aliases, *destination.secrets}))
            return replace(flow, destination=destination.address, vault_aliases=aliases)

        body = await self._apply(flow_id, message.message_id, DataFlowEvent.RESUME, prepare=with_credential)
        if changed:
            await self.manager.stop_flow(flow_id)
        self.manager.wake()
        return body

    async def terminate(self, flow_id: str, message_id: str, reason: str) -> Body:
        """Stop the bytes for good, and forget the credentials."""
        body = await self._apply(flow_id, message_id, DataFlowEvent.TERMINATE, reason=reason)
        await self.manager.stop_flow(flow_id)
        self.owed_wake_up.set()
        return body

    async def completed(self, flow_id: str, message_id: str | None) -> Body:
        """The other side has found that everything is there."""
        body = await self._apply(flow_id, message_id, DataFlowEvent.COMPLETE)
        await self.manager.stop_flow(flow_id)
        self.owed_wake_up.set()
        return body

    async def status(self, flow_id: str) -> Body:
        """State, progress and, when it failed, the reason."""
        flow = await self._existing(flow_id)
        return DataFlowStatusResponseMessage(
            data_flow_id=flow.id,
            state=flow.state,
            progress=self.manager.progress_of(flow_id) or progress_of(flow.counters),
            failure=failure_on_wire(flow),
        ).model_dump(mode="json", by_alias=True, exclude_none=True)

    def _source(self, flow_id: str, sent: DataAddress) -> TakenAddress:
        # The credential is looked at first: a secret in a wrong place is refused, not dropped without a word.
        source = taken(flow_id, sent, purpose="source")
        return replace(source, address=self.sources.of(sent.type).accepted(source.address))

    def _destination(self, flow_id: str, sent: DataAddress) -> TakenAddress:
        destination = taken(flow_id, sent, purpose="destination")
        return replace(destination, address=self.sinks.of(sent.type).accepted(destination.address))

    def _new_sender(self, message: DataFlowStartMessage) -> tuple[DataFlow, Mapping[str, str]]:
        """The flow, and the secrets that go to the vault for it. Both addresses are checked; nothing is stored."""
        sent = destination_of(message.data_address)
        source = self._source(message.process_id, address_in_metadata(message.metadata, "source"))
        destination = self._destination(message.process_id, sent.address)
        secrets = {**source.secrets, **destination.secrets}
        flow = DataFlow.of_message(
            message,
            role=DataFlowRole.SENDER,
            destination=destination.address,
            callback_base=self.accepted_callback(message.callback_address),
            at=self.clock.now(),
        )
        sender = replace(
            flow,
            source=source.address,
            marker_process_id=sent.consumer_process_id or message.process_id,
            nonce=sent.nonce,
            vault_aliases=tuple(secrets),
        )
        return sender, secrets

    async def _apply(
        self,
        flow_id: str,
        message_id: str | None,
        event: DataFlowEvent,
        *,
        reason: str = "",
        prepare: Callable[[DataFlow], Awaitable[DataFlow]] | None = None,
    ) -> Body:
        """Fire the event and store the answer with the new state; the stored answer when the message is known."""
        operation = f"{event.value.lower()}:{flow_id}"
        for _ in range(_MAX_COLLISIONS):
            if message_id and (answer := await self.store.find_answer(message_id, operation)):
                return answer.body
            flow = await self._existing(flow_id)
            moved = fire(flow, event, at=self.clock.now())
            if prepare is not None:
                moved = await prepare(moved)
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
        if before.is_final or not after.is_final:
            return after
        is_receiver = after.role is DataFlowRole.RECEIVER
        own = OwedWork.DESTINATION_RELEASE if is_receiver else OwedWork.JOURNAL_DELETION
        return after.owing(own, OwedWork.SECRET_DELETION, at=self.clock.now())

    async def _existing(self, flow_id: str) -> DataFlow:
        flow = await self.store.find(flow_id)
        if flow is None:
            raise NotFoundError(kind="Data flow", object_id=flow_id)
        return flow


def status_body(flow: DataFlow) -> dict[str, Any]:
    """The answer that names the flow and its state; holds no address."""
    return DataFlowStatusMessage(data_flow_id=flow.id, state=flow.state).wire()
