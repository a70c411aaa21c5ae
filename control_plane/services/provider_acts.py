"""What the provider's side does in each state that is its turn."""

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

from connector_spi.clock import Clock
from connector_spi.data_address import DataAddress
from connector_spi.errors import NotFoundError, PeerRefusedError, PeerUnavailableError
from connector_spi.log_context import redacted
from connector_spi.signaling import DataFlowState
from connector_spi.vault import Vault
from connector_spi.vault_access import vault_purpose
from control_plane.domain.asset import Asset
from control_plane.domain.transfer_process import (
    ResourcePhase,
    TransferError,
    TransferProcess,
    TransferProcessState,
    TransferProcessType,
    data_address_alias,
)
from control_plane.domain.transfer_state_machine import ResourceEvent, TransferEvent, fire, fire_resource
from control_plane.ports.data_flow_controller import DataFlowController, FlowAnswer
from control_plane.ports.dataspace_client import DataspaceClient
from control_plane.ports.stores import DefinitionStore
from control_plane.services.refused_messages import COMPLETED, STARTED, SUSPENDED, UNKNOWN, RefusedMessages
from control_plane.services.transfer_addresses import TransferAddresses
from control_plane.services.transfer_manager import Acts, ResourceActs

_log = logging.getLogger(__name__)

_S = TransferProcessState
_E = TransferEvent


class ProviderActs:
    """Starts, stops and ends data flows, and tells the consumer."""

    def __init__(
        self,
        *,
        assets: DefinitionStore[Asset],
        data_flows: DataFlowController,
        addresses: TransferAddresses,
        client: DataspaceClient,
        vault: Vault,
        clock: Clock,
    ) -> None:
        self._assets = assets
        self._data_flows = data_flows
        self._addresses = addresses
        self._client = client
        self._vault = vault
        self._refused = RefusedMessages(client, clock)
        self._clock = clock

    def acts(self) -> Acts:
        """State -> what to do."""
        provider = TransferProcessType.PROVIDER
        return {
            (provider, _S.INITIAL): self.start_flow,
            (provider, _S.PROVISIONED): self.start_flow,
            (provider, _S.STARTING): self.announce_start,
            (provider, _S.SUSPENDING): self.suspend,
            (provider, _S.SUSPENDING_REQUESTED): self.suspend_flow,
            (provider, _S.RESUMING): self.resume,
            (provider, _S.RESUMING_REQUESTED): self.resume,
            (provider, _S.COMPLETING): self.announce_completion,
            (provider, _S.COMPLETING_REQUESTED): self.complete_flow,
            (provider, _S.TERMINATING): self.terminate,
            (provider, _S.TERMINATING_REQUESTED): self.terminate_flow,
        }

    def resource_acts(self) -> ResourceActs:
        """Resource phase -> what to do."""
        provider = TransferProcessType.PROVIDER
        return {
            (provider, ResourcePhase.REVOKING): self.forget_secret,
            (provider, ResourcePhase.DEPROVISIONING): self.forget_all,
        }

    async def start_flow(self, process: TransferProcess) -> TransferProcess:
        """Choose a data plane; once that is on record, tell it to start."""
        if process.data_plane_id is None:
            return await self._assigned(process)
        asset = await self._assets.find(process.asset_id)
        if asset is None:
            raise NotFoundError(kind="Asset", object_id=process.asset_id)
        answer = await self._data_flows.start(process, source=asset.data_address)
        process = replace(process, data_flow_id=answer.data_flow_id)
        if answer.pending:
            return fire(process, _E.AWAIT_STARTUP, at=self._clock.now())
        await self._keep_address(process, answer)
        return fire(process, _E.CONFIRM_STARTUP, at=self._clock.now())

    async def announce_start(self, process: TransferProcess) -> TransferProcess:
        """Tell the consumer that data moves, or where it may be fetched."""
        try:
            await self._client.start_transfer(process, await self._served_at(process))
        except PeerRefusedError as error:
            return await self._refused.resolved(process, error, {STARTED: _E.START})
        return fire(process, _E.START, at=self._clock.now())

    async def suspend(self, process: TransferProcess) -> TransferProcess:
        """Stop the bytes, then tell the consumer."""
        if await self._has_finished(process, self._data_flows.suspend):
            return fire(process, _E.COMPLETE, at=self._clock.now())
        try:
            await self._client.suspend_transfer(process)
        except PeerRefusedError as error:
            return await self._refused.resolved(process, error, {SUSPENDED: _E.FINISH_SUSPENSION})
        return fire(process, _E.FINISH_SUSPENSION, at=self._clock.now())

    async def suspend_flow(self, process: TransferProcess) -> TransferProcess:
        """The consumer paused: stop the bytes."""
        if await self._has_finished(process, self._data_flows.suspend):
            return fire(process, _E.COMPLETE, at=self._clock.now())
        return fire(process, _E.FINISH_SUSPENSION, at=self._clock.now())

    async def resume(self, process: TransferProcess) -> TransferProcess:
        """Let the bytes go on, then announce it: a consumer that asked waits for the announcement.

        That is so with EDC. One that goes by the letter of the specification has started with our answer, and may
        refuse to hear of it again.
        """
        if await self._has_finished(process, self._resume_flow):
            return fire(process, _E.COMPLETE, at=self._clock.now())
        try:
            await self._client.start_transfer(process, await self._served_at(process))
        except PeerRefusedError as error:
            asked = {UNKNOWN: _E.START} if process.state is _S.RESUMING_REQUESTED else {}
            return await self._refused.resolved(process, error, {STARTED: _E.START, **asked})
        return fire(process, _E.START, at=self._clock.now())

    async def announce_completion(self, process: TransferProcess) -> TransferProcess:
        """Tell the consumer that everything is there, or that nothing is served any more.

        What was finished while both sides were paused is started for them first: no other way leads to the end. A
        consumer that refuses to hear of it, and has not ended the transfer, changes nothing: what is published stays.
        """
        try:
            if process.public_state is _S.SUSPENDED:
                start = replace(process, message_id=f"{process.message_id}:start")
                # A repeated start may be refused by who has taken it; whether all is well, the completion tells.
                with suppress(PeerRefusedError):
                    await self._client.start_transfer(start, await self._served_at(process))
            await self._client.complete_transfer(process)
        except PeerRefusedError as error:
            harmless = dict.fromkeys((UNKNOWN, STARTED, SUSPENDED, COMPLETED), _E.FINISH_COMPLETION)
            return await self._refused.resolved(process, error, harmless)
        if process.is_pull:
            await self._end_service(process)
        return fire(process, _E.FINISH_COMPLETION, at=self._clock.now())

    async def complete_flow(self, process: TransferProcess) -> TransferProcess:
        """The consumer has everything that it wants: the data plane may stop serving or sending it."""
        await self._end_service(process)
        return fire(process, _E.FINISH_COMPLETION, at=self._clock.now())

    async def terminate(self, process: TransferProcess) -> TransferProcess:
        """Stop the flow and tell the consumer why; a data plane that is down does not keep the consumer waiting."""
        unreachable: PeerUnavailableError | None = None
        try:
            await self._stop_flow(process)
        except PeerUnavailableError as error:
            unreachable = error
        reason = process.error or TransferError(code="Terminated", message="No reason was recorded.")
        try:
            await self._client.terminate_transfer(process, reason)
        except PeerRefusedError:
            if unreachable is None:
                return await self._refused.end(process)
        if unreachable is not None:
            raise unreachable
        return fire(process, _E.FINISH_TERMINATION, at=self._clock.now())

    async def terminate_flow(self, process: TransferProcess) -> TransferProcess:
        """The consumer ended the transfer: stop the flow."""
        await self._stop_flow(process)
        return fire(process, _E.FINISH_TERMINATION, at=self._clock.now())

    async def forget_secret(self, process: TransferProcess) -> TransferProcess:
        """The outcome is known: this side's copy of the SAS, or of the pull's address, is deleted."""
        process = await self._forgotten(process)
        return fire_resource(process, ResourceEvent.FINISH_REVOKING, at=self._clock.now())

    async def forget_all(self, process: TransferProcess) -> TransferProcess:
        """The provider holds nothing but its copy of the secret."""
        process = await self._forgotten(process)
        return fire_resource(process, ResourceEvent.FINISH_DEPROVISIONING, at=self._clock.now())

    async def _assigned(self, process: TransferProcess) -> TransferProcess:
        """The process with its data plane, and for a pull with the place where its address will rest."""
        asset = await self._assets.find(process.asset_id)
        source_type = asset.data_address.type if asset is not None else None
        chosen = await self._data_flows.data_plane_for(process.transfer_type, source_type)
        process = replace(process, data_plane_id=chosen)
        if not process.is_pull:
            return process
        process = replace(process, secret_alias=data_address_alias(process.id))
        return fire_resource(process, ResourceEvent.HOLD, at=self._clock.now())

    async def _keep_address(self, process: TransferProcess, answer: FlowAnswer) -> None:
        if process.is_pull and answer.data_address is not None:
            await self._addresses.keep(process, answer.data_address)

    async def _served_at(self, process: TransferProcess) -> DataAddress | None:
        """Where the consumer of a pull fetches the data."""
        if not process.is_pull:
            return None
        address = await self._addresses.of(process)
        if address is None:
            _log.warning("the data plane named no data address for a pull", extra={"data_plane": process.data_plane_id})
        return address

    async def _resume_flow(self, process: TransferProcess) -> None:
        await self._keep_address(process, await self._data_flows.resume(process))

    async def _has_finished(self, process: TransferProcess, act: Callable[[TransferProcess], Awaitable[None]]) -> bool:
        """Pause or resume the flow; True when that came too late, because everything is published.

        Raises:
            PeerUnavailableError: the flow has failed, and the data plane's word about it is still on its way.
        """
        try:
            await act(process)
        except PeerRefusedError:
            status = await self._data_flows.status(process)
            if status is not None and status.state is DataFlowState.COMPLETED:
                return True
            if status is not None and status.state is DataFlowState.TERMINATED:
                raise PeerUnavailableError("The data flow has failed; its reason is awaited.") from None
            raise
        return False

    async def _end_service(self, process: TransferProcess) -> None:
        try:
            await self._data_flows.complete(process)
        except PeerRefusedError as error:
            # It has ended by itself; nothing is served any more.
            _log.warning("the data plane refused the completion", extra={"error": redacted(error.message)})

    async def _stop_flow(self, process: TransferProcess) -> None:
        if process.data_plane_id is None:
            return
        # A flow that has reached an end of its own refuses: no byte moves any more.
        with suppress(PeerRefusedError):
            await self._data_flows.terminate(process)

    async def _forgotten(self, process: TransferProcess) -> TransferProcess:
        """Delete the secret here; a data plane that did not answer before hears of the end, for it holds one, too."""
        if process.secret_alias is not None:
            with vault_purpose(f"clean up after transfer process {process.id}"):
                await self._vault.delete(process.secret_alias)
        if process.message_id is not None:
            await self._stop_flow(process)
        return replace(process, secret_alias=None, message_id=None)
