"""CredentialIssuer: the consumer's side of a renewal. Mints anew for the provider that the transfer is with."""

import logging
from dataclasses import dataclass
from datetime import datetime

from connector_spi.errors import InvalidInputError, NotFoundError
from connector_spi.log_context import log_facts
from control_plane.domain.credential_renewal import RenewalRefusedError, check_consumer_may_issue
from control_plane.domain.transfer_process import TransferProcess, TransferProcessType
from control_plane.ports.stores import TransferProcessStore
from control_plane.services.destination_doors import DestinationDoors, RenewedSecret
from control_plane.services.renewal_limit import RenewalLimit

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedCredential:
    """What the provider gets; its repr shows no secret."""

    process_id: str
    provider_pid: str
    secret: str
    expires_at: datetime | None

    def __repr__(self) -> str:
        return f"IssuedCredential(process_id={self.process_id!r}, expires_at={self.expires_at}, secret='***')"


class CredentialIssuer:
    """Renews the credential of a transfer's own destination: same place, same rights, a later end."""

    def __init__(
        self,
        *,
        processes: TransferProcessStore,
        doors: DestinationDoors,
        limit: RenewalLimit,
    ) -> None:
        self._processes = processes
        self._doors = doors
        self._limit = limit

    async def renew(self, counter_party_id: str, process_id: str, provider_pid: str) -> IssuedCredential:
        """Mint anew. `counter_party_id` is who the caller proved to be. The call may be repeated.

        Raises:
            NotFoundError: no such transfer of this side as the consumer, with this counterparty as the provider.
            InvalidInputError: `provider_pid` is not the counterpart of this transfer.
            RenewalRefusedError: the outcome is known, or whoever made the destination refuses.
            RenewalNotNowError: the transfer is paused.
            TooManyRenewalsError: the newest one was too short a time ago.
            TransientError, PermanentError: as for DestinationDoor.
        """
        process = await self._own(counter_party_id, process_id, provider_pid)
        check_consumer_may_issue(process)
        self._limit.admit(process.id)
        with log_facts(transfer_process_id=process.id, participant_id=process.participant_id):
            try:
                renewed = await self._renewed(process)
            except BaseException:
                self._limit.take_back(process.id)
                raise
            _log.info("credential renewed", extra={"ends_at": str(renewed.expires_at)})
        return IssuedCredential(
            process_id=process.id,
            provider_pid=provider_pid,
            secret=renewed.secret,
            expires_at=renewed.expires_at,
        )

    async def _renewed(self, process: TransferProcess) -> RenewedSecret:
        """Renew; that is undone when the outcome came meanwhile, for its own clean-up may be over."""
        door = self._doors.of(process)
        renewed = await door.renew(process)
        now = await self._processes.find(process.id)
        if now is None or now.is_outcome or _is_being_placed(now):
            await door.revoke(process)
            raise RenewalRefusedError(f"Transfer {process.id!r} has ended: no credential is needed any more.")
        return renewed

    async def _own(self, counter_party_id: str, process_id: str, provider_pid: str) -> TransferProcess:
        process = await self._processes.find(process_id)
        mine = process is not None and process.type is TransferProcessType.CONSUMER
        if process is None or not mine or process.counter_party_id != counter_party_id:
            raise NotFoundError(kind="TransferProcess", object_id=process_id)
        if process.correlation_id not in {None, provider_pid}:
            raise InvalidInputError(
                field="providerPid", value=provider_pid, problem="is not the counterpart of this process"
            )
        return process


def _is_being_placed(process: TransferProcess) -> bool:
    """Whether everything has arrived, and nothing may be written beside it any more."""
    return process.placement is not None and process.placement.position is not None
