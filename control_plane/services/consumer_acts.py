"""What the consumer's side does in each state that is its turn."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from connector_spi.clock import Clock
from connector_spi.data_address import SECRET
from connector_spi.errors import PermanentError, TransientError
from connector_spi.vault import Vault
from control_plane.domain.transfer_process import (
    ResourcePhase,
    TransferError,
    TransferProcess,
    TransferProcessState,
    TransferProcessType,
)
from control_plane.domain.transfer_state_machine import ResourceEvent, TransferEvent, fire, fire_resource
from control_plane.ports.completion_evidence import Arrived, CompletionEvidence, Failed, Pending, Refused
from control_plane.ports.dataspace_client import DataspaceClient
from control_plane.ports.provisioner import Provisioner
from control_plane.ports.stores import TransferProcessStore
from control_plane.services.transfer_manager import Acts, ResourceActs

_log = logging.getLogger(__name__)

_S = TransferProcessState
_E = TransferEvent


class EvidenceMissingError(TransientError):
    """The provider said that everything is there, and no marker says so yet."""

    code = "EvidenceMissing"


class ConsumerActs:
    """Provisions, asks, looks at the evidence, revokes, deprovisions."""

    def __init__(
        self,
        *,
        processes: TransferProcessStore,
        provisioners: Mapping[str, Provisioner],
        client: DataspaceClient,
        evidence: CompletionEvidence,
        trusting: frozenset[str],
        vault: Vault,
        clock: Clock,
    ) -> None:
        """`trusting`: counterparties that write no marker, whose completion message counts."""
        self._processes = processes
        self._provisioners = provisioners
        self._client = client
        self._evidence = evidence
        self._trusting = trusting
        self._vault = vault
        self._clock = clock

    def acts(self) -> Acts:
        """State -> what to do."""
        consumer = TransferProcessType.CONSUMER
        return {
            (consumer, _S.INITIAL): self.plan,
            (consumer, _S.PROVISIONING): self.provision,
            (consumer, _S.PROVISIONED): self.begin_request,
            (consumer, _S.REQUESTING): self.request,
            (consumer, _S.SUSPENDING): self.suspend,
            (consumer, _S.SUSPENDING_REQUESTED): self.note_suspension,
            (consumer, _S.RESUMING): self.resume,
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
        """Write down what will be made before it is made, so that a crash leaks nothing."""
        planned = self._provisioner(process).plan(process)
        process = replace(process, provisioned=planned, secret_alias=planned.secret_alias)
        process = fire_resource(process, ResourceEvent.HOLD, at=self._clock.now())
        return fire(process, _E.PROVISION, at=self._clock.now())

    async def provision(self, process: TransferProcess) -> TransferProcess:
        """Make the container and the write-only SAS; the SAS goes to the vault."""
        made = await self._provisioner(process).provision(process)
        _log.info(
            "destination provisioned", extra={"account": made.resource.account, "container": made.resource.container}
        )
        await self._vault.store(made.resource.secret_alias, made.secret)
        _log.info("credential stored in the vault", extra={"alias": made.resource.secret_alias})
        destination = process.data_destination.with_properties(
            account=made.resource.account, container=made.resource.container
        )
        process = replace(process, provisioned=made.resource, data_destination=destination)
        return fire(process, _E.FINISH_PROVISIONING, at=self._clock.now())

    async def begin_request(self, process: TransferProcess) -> TransferProcess:
        """Turn to the provider."""
        return fire(process, _E.REQUEST, at=self._clock.now())

    async def request(self, process: TransferProcess) -> TransferProcess:
        """Send the TransferRequestMessage with the destination and its SAS."""
        secret = await self._vault.resolve(process.secret_alias or "")
        destination = process.data_destination.without("keyName").with_properties(
            **{SECRET: secret}, transferNonce=process.nonce, consumerProcessId=process.id
        )
        provider_pid = await self._client.request_transfer(process, destination)
        return fire(replace(process, correlation_id=provider_pid), _E.FINISH_REQUEST, at=self._clock.now())

    async def suspend(self, process: TransferProcess) -> TransferProcess:
        """Tell the provider to pause."""
        await self._client.suspend_transfer(process)
        return fire(process, _E.FINISH_SUSPENSION, at=self._clock.now())

    async def note_suspension(self, process: TransferProcess) -> TransferProcess:
        """The provider paused; nothing runs on this side."""
        return fire(process, _E.FINISH_SUSPENSION, at=self._clock.now())

    async def resume(self, process: TransferProcess) -> TransferProcess:
        """Tell the provider to go on; its start message follows."""
        await self._client.start_transfer(process)
        return fire(process, _E.FINISH_RESUME_REQUEST, at=self._clock.now())

    async def verify(self, process: TransferProcess) -> TransferProcess:
        """Complete on this side's own evidence; on the provider's word only where that is configured."""
        if process.counter_party_id not in self._trusting:
            match await self._evidence.look(process):
                case Pending():
                    raise EvidenceMissingError("The provider reports completion, but the marker is not there yet.")
                case Failed(error) | Refused(error):
                    return fire(process.failed_with(error), _E.TERMINATE, at=self._clock.now())
                case Arrived() as arrived:
                    await self._processes.record_progress(process.id, arrived.progress)
        return fire(process, _E.FINISH_COMPLETION, at=self._clock.now())

    async def terminate(self, process: TransferProcess) -> TransferProcess:
        """Tell the provider, if it ever heard of the transfer."""
        if process.correlation_id is not None:
            error = process.error or TransferError(code="Terminated", message="No reason was recorded.")
            await self._client.terminate_transfer(process, error)
        return fire(process, _E.FINISH_TERMINATION, at=self._clock.now())

    async def note_termination(self, process: TransferProcess) -> TransferProcess:
        """The provider ended the transfer."""
        return fire(process, _E.FINISH_TERMINATION, at=self._clock.now())

    async def revoke(self, process: TransferProcess) -> TransferProcess:
        """The outcome is known: the SAS is made worthless, then forgotten."""
        await self._forget(process)
        return fire_resource(replace(process, secret_alias=None), ResourceEvent.FINISH_REVOKING, at=self._clock.now())

    async def deprovision(self, process: TransferProcess) -> TransferProcess:
        """Remove what this transfer created."""
        if process.secret_alias is not None:
            await self._forget(process)
        if process.provisioned is not None:
            with _nothing_made_is_nothing_left(process):
                await self._provisioner(process).deprovision(process)
        process = replace(process, secret_alias=None)
        return fire_resource(process, ResourceEvent.FINISH_DEPROVISIONING, at=self._clock.now())

    async def _forget(self, process: TransferProcess) -> None:
        # The vault first: a storage account that does not answer must not keep the secret alive here.
        if process.secret_alias is not None:
            await self._vault.delete(process.secret_alias)
        if process.provisioned is not None:
            with _nothing_made_is_nothing_left(process):
                await self._provisioner(process).revoke(process)

    def _provisioner(self, process: TransferProcess) -> Provisioner:
        return self._provisioners[process.data_destination.type]


@contextmanager
def _nothing_made_is_nothing_left(process: TransferProcess) -> Iterator[None]:
    """Let a process end whose provisioning never worked, though the storage account cannot be used at all."""
    try:
        yield
    except PermanentError as error:
        if process.provisioned is not None and process.provisioned.sas_expires_at is not None:
            raise
        _log.info("nothing was provisioned, so nothing is left", extra={"code": error.code})
