"""TransferAdmission: a transfer begins, and goes on after a pause, only where its agreement's policy permits it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final
from weakref import WeakValueDictionary

from connector_spi.clock import Clock
from control_plane.domain.contract_agreement import ContractAgreement
from control_plane.domain.participant import Participant
from control_plane.domain.policy_context import PolicyContext, PolicyScope
from control_plane.domain.policy_denial import PolicyDeniedError
from control_plane.domain.transfer_process import TransferProcess, TransferProcessState, TransferProcessType
from control_plane.ports.stores import ContractNegotiationStore
from control_plane.services.policy_engine import PolicyEngine
from control_plane.services.transfer_manager import Act, Acts

_LETS_DATA_MOVE: Final = frozenset(
    (TransferProcessType.PROVIDER, state)
    for state in (
        TransferProcessState.INITIAL,
        TransferProcessState.PROVISIONED,
        TransferProcessState.RESUMING,
        TransferProcessState.RESUMING_REQUESTED,
    )
)


class TransferAdmission:
    """The provider's gate before a transfer."""

    def __init__(
        self,
        negotiations: ContractNegotiationStore,
        policies: PolicyEngine,
        clock: Clock,
        *,
        look_by: Callable[[datetime], None] = lambda _at: None,
    ) -> None:
        """`look_by`: told when time may change the answer for a transfer that begins."""
        self._look_by = look_by
        self._negotiations = negotiations
        self._policies = policies
        self._clock = clock
        self._gates: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def one_at_a_time(self, agreement_id: str) -> AsyncIterator[None]:
        """Between a count of an agreement's transfers and a new one, no other one is made by this process."""
        gate = self._gates.setdefault(agreement_id, asyncio.Lock())
        async with gate:
            yield

    async def check_begin(self, agreement: ContractAgreement, caller: Participant) -> None:
        """Refuse a new transfer that the policy does not permit.

        Raises:
            PolicyDeniedError: names the constraint.
            TransientError: a fact could not be read now.
        """
        await self._check(agreement, caller, None)

    def gated(self, acts: Acts) -> Acts:
        """The acts, with a check before each one that lets the data of a provider's transfer move.

        Since the request was admitted somebody may have held it for days, another replica may have taken the last
        place, or this side's own client resumes what it had paused.
        """
        return {key: self._checked(act) if key in _LETS_DATA_MOVE else act for key, act in acts.items()}

    def _checked(self, act: Act) -> Act:
        async def check_and_act(process: TransferProcess) -> TransferProcess:
            await self.check(process)
            return await act(process)

        return check_and_act

    async def check(self, process: TransferProcess) -> None:
        """Refuse to start or resume a transfer of which this side is the provider.

        Raises:
            PolicyDeniedError: names the constraint, or there is no such agreement any more.
            TransientError: a fact could not be read now.
        """
        agreement = await self._negotiations.find_agreement(process.contract_id)
        if agreement is None:
            raise PolicyDeniedError(f"There is no agreement {process.contract_id!r} any more.")
        caller = Participant(id=process.counter_party_id, claims=process.counter_party_claims)
        await self._check(agreement, caller, process)

    async def _check(self, agreement: ContractAgreement, caller: Participant, process: TransferProcess | None) -> None:
        context = PolicyContext(
            scope=PolicyScope.TRANSFER,
            counterparty=caller,
            now=self._clock.now(),
            agreement=agreement,
            asset_id=agreement.asset_id,
            transfer=process,
        )
        reason = await self._policies.denial(agreement.policy, context)
        if reason is not None:
            raise PolicyDeniedError(reason)
        if changes_at := self._policies.changes_at(agreement.policy, context):
            self._look_by(changes_at)
