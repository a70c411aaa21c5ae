"""What the consumer's side does in each state that is its turn."""

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from connector_spi.clock import Clock
from connector_spi.errors import PeerRefusedError, PeerUnavailableError, TransientError
from connector_spi.signaling import DataFlowState
from control_plane.domain.completion_proof import CompletionProof, completion_proof
from control_plane.domain.placement import CheckedReceipt, PlacementPosition
from control_plane.domain.transfer_process import (
    ResourcePhase,
    TransferError,
    TransferProcess,
    TransferProcessState,
    TransferProcessType,
)
from control_plane.domain.transfer_state_machine import ResourceEvent, TransferEvent, fire, fire_resource
from control_plane.ports.completion_evidence import Arrived, CompletionEvidence, Failed, Pending, Refused
from control_plane.ports.data_flow_controller import DataFlowController
from control_plane.ports.dataspace_client import DataspaceClient
from control_plane.ports.stores import TransferProcessStore
from control_plane.services.destination_doors import DestinationDoors
from control_plane.services.refused_messages import (
    COMPLETED,
    NO_REASON,
    STARTED,
    SUSPENDED,
    TERMINATED,
    UNKNOWN,
    RefusedMessages,
)
from control_plane.services.staged_arrivals import StagedArrivals
from control_plane.services.transfer_manager import Acts, ResourceActs

_log = logging.getLogger(__name__)

_S = TransferProcessState
_E = TransferEvent
_LOOKS_BEFORE_BELIEF: Final = 1


class EvidenceMissingError(TransientError):
    """The provider said that everything is there, and no marker says so yet."""

    code = "EvidenceMissing"
    cause = "the provider said that everything is there, and no marker in the container says so yet"
    remedy = (
        "It is looked for again, for `transfer.evidence_seconds`. A provider whose data plane writes no markers needs"
        ' `completion_evidence = "message"` at its `[[counterparties]]`.'
    )


class ConsumerActs:
    """Makes ready, asks, signals its data plane where it has one, looks at the evidence, cleans up."""

    def __init__(
        self,
        *,
        processes: TransferProcessStore,
        doors: DestinationDoors,
        data_flows: DataFlowController,
        client: DataspaceClient,
        evidence: CompletionEvidence,
        staged: StagedArrivals,
        trusting: frozenset[str],
        clock: Clock,
        restart_look_seconds: float = 5,
    ) -> None:
        """`staged`: what is done with data that has arrived beside the client's container, not in it.

        `trusting`: counterparties that write no marker, whose completion message counts.

        `restart_look_seconds`: how often a provider that acknowledged a resumption is asked whether it has started.
        """
        self._processes = processes
        self._doors = doors
        self._data_flows = data_flows
        self._client = client
        self._evidence = evidence
        self._staged = staged
        self._trusting = trusting
        self._refused = RefusedMessages(client, clock)
        self._restart_look = timedelta(seconds=restart_look_seconds)
        self._clock = clock

    def acts(self) -> Acts:
        """State -> what to do."""
        consumer = TransferProcessType.CONSUMER
        return {
            (consumer, _S.INITIAL): self.plan,
            (consumer, _S.PROVISIONING): self.provision,
            (consumer, _S.PROVISIONED): self.begin_request,
            (consumer, _S.REQUESTING): self.request,
            (consumer, _S.STARTUP_REQUESTED): self.start_flow,
            (consumer, _S.SUSPENDING): self.suspend,
            (consumer, _S.SUSPENDING_REQUESTED): self.note_suspension,
            (consumer, _S.RESUMING): self.resume,
            (consumer, _S.RESUMING_REQUESTED): self.resume_flow,
            (consumer, _S.RESUMED): self.look_for_restart,
            (consumer, _S.COMPLETING): self.announce_completion,
            (consumer, _S.COMPLETING_REQUESTED): self.verify,
            (consumer, _S.TERMINATING): self.terminate,
            (consumer, _S.TERMINATING_REQUESTED): self.note_termination,
        }

    def resource_acts(self) -> ResourceActs:
        """Resource phase -> what to do."""
        consumer = TransferProcessType.CONSUMER
        return {
            (consumer, ResourcePhase.REVOKING): self.revoke,
            (consumer, ResourcePhase.DEPROVISIONING): self.deprovision,
        }

    async def plan(self, process: TransferProcess) -> TransferProcess:
        """Choose who makes the destination, and write down what will be made."""
        return await self._doors.plan(process)

    async def provision(self, process: TransferProcess) -> TransferProcess:
        """Make the destination, or let the data plane make it."""
        return await self._doors.of(process).open(process)

    async def begin_request(self, process: TransferProcess) -> TransferProcess:
        """Turn to the provider."""
        return fire(process, _E.REQUEST, at=self._clock.now())

    async def request(self, process: TransferProcess) -> TransferProcess:
        """Send the TransferRequestMessage, for a push with the destination and its secret."""
        destination = await self._doors.of(process).destination(process)
        if destination is not None:
            destination = destination.with_properties(transferNonce=process.nonce, consumerProcessId=process.id)
        provider_pid = await self._client.request_transfer(process, destination)
        return fire(replace(process, correlation_id=provider_pid), _E.FINISH_REQUEST, at=self._clock.now())

    async def start_flow(self, process: TransferProcess) -> TransferProcess:
        """The provider started: tell the data plane."""
        await self._signal(process, self._data_flows.notify_started)
        return fire(process, _E.CONFIRM_STARTUP, at=self._clock.now())

    async def suspend(self, process: TransferProcess) -> TransferProcess:
        """Stop what this side does, then tell the provider."""
        await self._pause(process)
        try:
            await self._client.suspend_transfer(process)
        except PeerRefusedError as error:
            return await self._refused.resolved(process, error, {SUSPENDED: _E.FINISH_SUSPENSION})
        return fire(process, _E.FINISH_SUSPENSION, at=self._clock.now())

    async def note_suspension(self, process: TransferProcess) -> TransferProcess:
        """The provider paused: so does this side."""
        await self._pause(process)
        return fire(process, _E.FINISH_SUSPENSION, at=self._clock.now())

    async def resume(self, process: TransferProcess) -> TransferProcess:
        """Tell the provider to go on; its start message follows."""
        try:
            await self._client.start_transfer(process)
        except PeerRefusedError as error:
            return await self._refused.resolved(process, error, {STARTED: _E.FINISH_RESUME_REQUEST})
        now = self._clock.now()
        return replace(fire(process, _E.FINISH_RESUME_REQUEST, at=now), next_attempt_at=now + self._restart_look)

    async def look_for_restart(self, process: TransferProcess) -> TransferProcess:
        """The provider acknowledged the wish, and its start message has not come: ask whether it has started.

        A provider that goes by the letter of the specification sends none. It is believed at the second look, for one
        that does send it may show its start before the message is here.
        """
        now = self._clock.now()
        try:
            shown = await self._client.fetch_state(process)
        except PeerRefusedError:
            shown = UNKNOWN
        if shown == STARTED and process.attempt >= _LOOKS_BEFORE_BELIEF:
            return fire(process, _E.START, at=now)
        if shown == TERMINATED:
            return fire(process.failed_with(NO_REASON), _E.TERMINATE_BY_COUNTERPARTY, at=now)
        return process.retried_at(now + self._restart_look, now)

    async def resume_flow(self, process: TransferProcess) -> TransferProcess:
        """The provider goes on: tell the data plane."""
        await self._signal_unless_finished(process, self._data_flows.resume)
        return fire(process, _E.CONFIRM_STARTUP, at=self._clock.now())

    async def announce_completion(self, process: TransferProcess) -> TransferProcess:
        """Everything is fetched: tell the provider, whatever it makes of that, unless it has ended the transfer."""
        try:
            await self._client.complete_transfer(process)
        except PeerRefusedError as error:
            harmless = dict.fromkeys((UNKNOWN, STARTED, SUSPENDED, COMPLETED), _E.FINISH_COMPLETION)
            return await self._refused.resolved(process, error, harmless)
        return fire(process, _E.FINISH_COMPLETION, at=self._clock.now())

    async def verify(self, process: TransferProcess) -> TransferProcess:
        """Complete on what this side can see.

        That is the marker where it provisioned by itself (or the provider's word, where that is configured), and its
        data plane's consent where that prepared. Of a pull without a data plane there is nothing to see.
        `control_plane.domain.completion_proof` says which of them it is. What has arrived in a staging container is
        then moved, in slices of some seconds.
        """
        if process.placement is not None and process.placement.position is not None:
            return await self._placed(process)
        match completion_proof(process, trusting=self._trusting):
            case CompletionProof.DATA_PLANE:
                await self._data_flows.complete(process)
            case CompletionProof.MARKER:
                return await self._verified_by_marker(process)
            case CompletionProof.MESSAGE:
                pass
        return self._arrived(process)

    def _arrived(self, process: TransferProcess, receipt: CheckedReceipt | None = None) -> TransferProcess:
        now = self._clock.now()
        if process.placement is None:
            return fire(process, _E.FINISH_COMPLETION, at=now)
        return fire(process.with_arrival(receipt), _E.ARRIVE, at=now)

    async def _placed(self, process: TransferProcess) -> TransferProcess:
        if process.placement is not None and process.placement.position == PlacementPosition():
            # Nothing may be written into the staging container while it is read.
            await self._doors.of(process).revoke(process)
        return await self._staged.place(process)

    async def _verified_by_marker(self, process: TransferProcess) -> TransferProcess:
        match await self._evidence.look(process):
            case Pending():
                raise EvidenceMissingError("The provider reports completion, but the marker is not there yet.")
            case Failed(error) | Refused(error):
                return fire(process.failed_with(error), _E.TERMINATE, at=self._clock.now())
            case Arrived() as arrived:
                await self._processes.record_progress(process.id, arrived.progress)
                return self._arrived(process, arrived.receipt)

    async def terminate(self, process: TransferProcess) -> TransferProcess:
        """Stop the flow, and tell the provider, if it ever heard of the transfer.

        A data plane that is down does not keep the provider waiting.
        """
        unreachable: PeerUnavailableError | None = None
        try:
            await self._stop_flow(process)
        except PeerUnavailableError as error:
            unreachable = error
        if process.correlation_id is not None:
            reason = process.error or TransferError(code="Terminated", message="No reason was recorded.")
            try:
                await self._client.terminate_transfer(process, reason)
            except PeerRefusedError:
                if unreachable is None:
                    return await self._refused.end(process)
        if unreachable is not None:
            raise unreachable
        return fire(process, _E.FINISH_TERMINATION, at=self._clock.now())

    async def note_termination(self, process: TransferProcess) -> TransferProcess:
        """The provider ended the transfer: stop the flow."""
        await self._stop_flow(process)
        return fire(process, _E.FINISH_TERMINATION, at=self._clock.now())

    async def revoke(self, process: TransferProcess) -> TransferProcess:
        """The outcome is known: the secret is forgotten and made worthless; what was staged goes, too.

        It is the data's way only: a placement that did not come to its end is undone first, in slices.
        """
        door = self._doors.of(process)
        await door.revoke(process)
        if process.placement is not None:
            if unsettled := await self._staged.settle(process):
                return unsettled
            await door.remove(replace(process, secret_alias=None))
        process = await self._end_told(process)
        return fire_resource(replace(process, secret_alias=None), ResourceEvent.FINISH_REVOKING, at=self._clock.now())

    async def deprovision(self, process: TransferProcess) -> TransferProcess:
        """Remove what this transfer created."""
        if process.placement is not None and (unsettled := await self._staged.settle(process)):
            return unsettled
        await self._doors.of(process).remove(process)
        process = replace(await self._end_told(process), secret_alias=None)
        return fire_resource(process, ResourceEvent.FINISH_DEPROVISIONING, at=self._clock.now())

    async def _end_told(self, process: TransferProcess) -> TransferProcess:
        """Tell a data plane that did not answer before the transfer was ended: its flow holds secrets, too."""
        if process.message_id is not None:
            await self._stop_flow(process)
        return replace(process, message_id=None)

    async def _pause(self, process: TransferProcess) -> None:
        # A pull's address stays: the provider's next start may be here already, and has brought a fresh one.
        await self._signal_unless_finished(process, self._data_flows.suspend)

    async def _stop_flow(self, process: TransferProcess) -> None:
        # A flow that has reached an end of its own refuses: no byte moves any more.
        with suppress(PeerRefusedError):
            await self._signal(process, self._data_flows.terminate)

    async def _signal_unless_finished(
        self, process: TransferProcess, call: Callable[[TransferProcess], Awaitable[Any]]
    ) -> None:
        """Pause or go on. A data plane that has everything refuses; its call-back, or the reconciler, tells so."""
        try:
            await self._signal(process, call)
        except PeerRefusedError:
            status = await self._data_flows.status(process)
            if status is None or status.state is not DataFlowState.COMPLETED:
                raise

    async def _signal(self, process: TransferProcess, call: Callable[[TransferProcess], Awaitable[Any]]) -> None:
        """Tell the data plane, where the process has one."""
        if process.data_plane_id is not None:
            await call(process)
