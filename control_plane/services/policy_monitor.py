"""PolicyMonitor: ends running transfers whose policy does not permit them any more.

It looks at every transfer that this side provides: each time the interval is over, and at the instant at which the
time window of a running transfer ends. What it finds becomes a message in the process's inbox, under a fixed id:
however many replicas look, the transfer is ended once, by whoever holds the lease.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from connector_spi.clock import Clock
from connector_spi.errors import InvalidTransitionError, NotFoundError, StoreUnavailableError, TransientError
from connector_spi.log_context import redacted
from control_plane.domain.contract_agreement import ContractAgreement
from control_plane.domain.inbox import InboxMessage
from control_plane.domain.participant import Participant
from control_plane.domain.policy_context import PolicyContext, PolicyScope
from control_plane.domain.policy_denial import PolicyDeniedError
from control_plane.domain.query import Criterion, QuerySpec
from control_plane.domain.transfer_process import TransferProcess, TransferProcessState, TransferProcessType
from control_plane.domain.transfer_state_machine import TransferEvent
from control_plane.ports.stores import ContractNegotiationStore, TransferProcessStore
from control_plane.services.policy_engine import PolicyEngine
from control_plane.services.transfer_inbox import accepting
from control_plane.services.waits import first_of

_log = logging.getLogger(__name__)

_PAGE: Final = 200
_PARALLEL: Final = 16
_SOONEST_SECONDS: Final = 0.05
_S = TransferProcessState
_MOVES_DATA: Final = (_S.STARTUP_REQUESTED, _S.STARTING, _S.STARTED, _S.RESUMING, _S.RESUMING_REQUESTED)
_RUNNING: Final = (
    Criterion(operand_left="type", operator="=", operand_right=TransferProcessType.PROVIDER.value),
    Criterion(operand_left="state", operator="in", operand_right=[state.name for state in _MOVES_DATA]),
)


class PolicyMonitor:
    """Looks at running transfers until it is stopped."""

    def __init__(
        self,
        *,
        processes: TransferProcessStore,
        negotiations: ContractNegotiationStore,
        policies: PolicyEngine,
        clock: Clock,
        interval_seconds: float,
    ) -> None:
        """`interval_seconds`: the longest time between two looks."""
        self._processes = processes
        self._negotiations = negotiations
        self._policies = policies
        self._clock = clock
        self._interval = timedelta(seconds=interval_seconds)
        self._next_look = clock.now()
        self._sooner = asyncio.Event()

    def look_by(self, at: datetime) -> None:
        """Look at this instant at the latest: a transfer begins whose window ends then."""
        if at < self._next_look:
            self._next_look = at
            self._sooner.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Look again and again until `stop` is set."""
        while not stop.is_set():
            self._next_look = self._clock.now() + self._interval
            try:
                self.look_by(await self.sweep())
            except Exception:  # noqa: BLE001 - a defect in one look must not end the looks, nor the control plane
                _log.exception("a look at running transfers failed unexpectedly")
            await self._rest(stop)

    async def _rest(self, stop: asyncio.Event) -> None:
        """Wait until it is time for the next look, which may become sooner meanwhile."""
        while not stop.is_set() and (seconds := (self._next_look - self._clock.now()).total_seconds()) > 0:
            self._sooner.clear()
            await first_of(stop.wait(), self._sooner.wait(), asyncio.sleep(max(seconds, _SOONEST_SECONDS)))

    async def sweep(self) -> datetime:
        """Look once at every running transfer; never raises for what ports are allowed to raise.

        Returns:
            When to look again: when the interval is over, or earlier because time then changes an answer.
        """
        look = _Look(self._clock.now() + self._interval)
        try:
            async for page in self._pages():
                await self._look_at(page, look)
            # Only now: a transfer that ends leaves the pages, and others would move up past the look.
            for process_id, reason in look.denied:
                await self._end(process_id, reason)
        except StoreUnavailableError:
            _log.warning("the look at running transfers was cut short: the store does not answer")
        return look.next_look

    async def _pages(self) -> AsyncIterator[list[TransferProcess]]:
        offset = 0
        while page := await self._processes.query(QuerySpec(offset=offset, limit=_PAGE, criteria=_RUNNING)):
            yield page
            offset += len(page)

    async def _look_at(self, page: list[TransferProcess], look: "_Look") -> None:
        conditional = []
        for process in page:
            agreement = await self._agreement(process.contract_id, look)
            if agreement is None:
                # The consumer ended the negotiation after all, in the moment in which it could ask for data already.
                look.denied.append((process.id, f"There is no agreement {process.contract_id!r} any more."))
            elif agreement.id in look.conditional:
                conditional.append((process, agreement))
        slots = asyncio.Semaphore(_PARALLEL)

        async def one(process: TransferProcess, agreement: ContractAgreement) -> None:
            async with slots:
                await self._judge(process, agreement, look)

        async with asyncio.TaskGroup() as judgements:
            for process, agreement in conditional:
                judgements.create_task(one(process, agreement))

    async def _agreement(self, agreement_id: str, look: "_Look") -> ContractAgreement | None:
        """The agreement, read once in a look."""
        if agreement_id not in look.agreements:
            agreement = await self._negotiations.find_agreement(agreement_id)
            look.agreements[agreement_id] = agreement
            if agreement is not None and self._policies.is_conditional(agreement.policy):
                look.conditional.add(agreement_id)
        return look.agreements[agreement_id]

    async def _judge(self, process: TransferProcess, agreement: ContractAgreement, look: "_Look") -> None:
        context = PolicyContext(
            scope=PolicyScope.MONITOR,
            counterparty=Participant(id=process.counter_party_id, claims=process.counter_party_claims),
            now=self._clock.now(),
            agreement=agreement,
            asset_id=agreement.asset_id,
            transfer=process,
        )
        try:
            reason = await self._policies.denial(agreement.policy, context)
        except TransientError as error:
            _log.warning(
                "a running transfer's policy cannot be evaluated now",
                extra={"transfer_process_id": process.id, "error": redacted(error.message)},
            )
            return
        if reason is not None:
            look.denied.append((process.id, reason))
        elif changes_at := self._policies.changes_at(agreement.policy, context):
            look.next_look = min(look.next_look, changes_at)

    async def _end(self, process_id: str, reason: str) -> None:
        event = TransferEvent.TERMINATE
        _log.warning("a transfer's policy holds no more", extra={"transfer_process_id": process_id, "reason": reason})
        note = InboxMessage(
            id=f"policy-{event.value}",
            kind=event.value,
            payload={"code": PolicyDeniedError.code, "message": reason},
            received_at=self._clock.now(),
        )
        # It may have ended by itself meanwhile.
        with suppress(InvalidTransitionError, NotFoundError):
            await self._processes.append(process_id, note, accepting(event))


class _Look:
    """What one look has found so far."""

    def __init__(self, next_look: datetime) -> None:
        self.next_look = next_look
        self.denied: list[tuple[str, str]] = []
        self.agreements: dict[str, ContractAgreement | None] = {}
        self.conditional: set[str] = set()
        """Ids of agreements whose policies have a constraint that could stop holding."""
