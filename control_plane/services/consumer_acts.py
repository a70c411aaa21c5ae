"""What the consumer's side does in each state that is its turn."""

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from connector_spi.clock import Clock
from connector_spi.errors import PeerRefusedError, PeerUnavailableError, TransientError
from connector_spi.log_context import redacted
from control_plane.domain.completion_proof import CompletionProof, completion_proof
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
from control_plane.services.transfer_manager import Acts, ResourceActs

_log = logging.getLogger(__name__)

_S = TransferProcessState
_E = TransferEvent


class EvidenceMissingError(TransientError):
    """The provider said that everything is there, and no marker says so yet."""

    code = "EvidenceMissing"


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
        trusting: frozenset[str],
        clock: Clock,
    ) -> None:
        """`trusting`: counterparties that write no marker, whose completion message counts."""
        self._processes = processes
        self._doors = doors
        self._data_flows = data_flows
        self._client = client
        self._evidence = evidence
        self._trusting = trusting
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
        await self._client.suspend_transfer(process)
        return fire(process, _E.FINISH_SUSPENSION, at=self._clock.now())

    async def note_suspension(self, process: TransferProcess) -> TransferProcess:
        """The provider paused: so does this side."""
        await self._pause(process)
        return fire(process, _E.FINISH_SUSPENSION, at=self._clock.now())

    async def resume(self, process: TransferProcess) -> TransferProcess:
        """Tell the provider to go on; its start message follows."""
        await self._client.start_transfer(process)
        return fire(process, _E.FINISH_RESUME_REQUEST, at=self._clock.now())

    async def resume_flow(self, process: TransferProcess) -> TransferProcess:
        """The provider goes on: tell the data plane."""
        await self._signal(process, self._data_flows.resume)
        return fire(process, _E.CONFIRM_STARTUP, at=self._clock.now())

    async def announce_completion(self, process: TransferProcess) -> TransferProcess:
        """This side's data plane has fetched everything: tell the provider, whatever it makes of that."""
        try:
            await self._client.complete_transfer(process)
        except PeerRefusedError as error:
            _log.warning("the provider refused the completion message", extra={"error": redacted(error.message)})
        return fire(process, _E.FINISH_COMPLETION, at=self._clock.now())

    async def verify(self, process: TransferProcess) -> TransferProcess:
        """Complete on what this side can see.

        That is the marker where it provisioned by itself (or the provider's word, where that is configured), and its
        data plane's consent where that prepared. Of a pull without a data plane there is nothing to see.
        `control_plane.domain.completion_proof` says which of them it is.
        """
        match completion_proof(process, trusting=self._trusting):
            case CompletionProof.DATA_PLANE:
                await self._data_flows.complete(process)
            case CompletionProof.MARKER:
                return await self._verified_by_marker(process)
            case CompletionProof.MESSAGE:
                pass
        return fire(process, _E.FINISH_COMPLETION, at=self._clock.now())

    async def _verified_by_marker(self, process: TransferProcess) -> TransferProcess:
        match await self._evidence.look(process):
            case Pending():
                raise EvidenceMissingError("The provider reports completion, but the marker is not there yet.")
            case Failed(error) | Refused(error):
                return fire(process.failed_with(error), _E.TERMINATE, at=self._clock.now())
            case Arrived() as arrived:
                await self._processes.record_progress(process.id, arrived.progress)
        return fire(process, _E.FINISH_COMPLETION, at=self._clock.now())

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
            await self._client.terminate_transfer(process, reason)
        if unreachable is not None:
            raise unreachable
        return fire(process, _E.FINISH_TERMINATION, at=self._clock.now())

    async def note_termination(self, process: TransferProcess) -> TransferProcess:
        """The provider ended the transfer: stop the flow."""
        await self._stop_flow(process)
        return fire(process, _E.FINISH_TERMINATION, at=self._clock.now())

    async def revoke(self, process: TransferProcess) -> TransferProcess:
        """The outcome is known: the secret is forgotten and made worthless."""
        await self._doors.of(process).revoke(process)
        return fire_resource(replace(process, secret_alias=None), ResourceEvent.FINISH_REVOKING, at=self._clock.now())

    async def deprovision(self, process: TransferProcess) -> TransferProcess:
        """Remove what this transfer created."""
        await self._doors.of(process).remove(process)
        process = replace(process, secret_alias=None)
        return fire_resource(process, ResourceEvent.FINISH_DEPROVISIONING, at=self._clock.now())

    async def _pause(self, process: TransferProcess) -> None:
        # A pull's address stays: the provider's next start may be here already, and has brought a fresh one.
        await self._signal(process, self._data_flows.suspend)

    async def _stop_flow(self, process: TransferProcess) -> None:
        # A flow that has reached an end of its own refuses: no byte moves any more.
        with suppress(PeerRefusedError):
            await self._signal(process, self._data_flows.terminate)

    async def _signal(self, process: TransferProcess, call: Callable[[TransferProcess], Awaitable[Any]]) -> None:
        """Tell the data plane, where the process has one."""
        if process.data_plane_id is not None:
            await call(process)
