"""ContractNegotiationManager: takes one step with a leased negotiation.

As with transfers, a move that a message caused is saved before anything is done, and every act may be repeated.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from connector_spi.clock import Clock
from connector_spi.errors import PermanentError, StoreUnavailableError, TransientError
from connector_spi.log_context import log_facts, redacted
from control_plane.domain.contract_agreement import ContractAgreement
from control_plane.domain.contract_negotiation import (
    NEGOTIATION_MACHINES,
    NEGOTIATION_WAITING,
    ContractNegotiation,
    NegotiationEvent,
    NegotiationState,
    NegotiationType,
    fire_negotiation,
    negotiation_will_accept,
)
from control_plane.domain.inbox import InboxMessage
from control_plane.ports.dataspace_client import DataspaceClient
from control_plane.ports.pending_guard import PendingGuard
from control_plane.ports.stores import Leased
from control_plane.services.entity_loop import Step
from control_plane.services.patience import Patience

_log = logging.getLogger(__name__)

_S = NegotiationState
_E = NegotiationEvent
_CONSUMER, _PROVIDER = NegotiationType.CONSUMER, NegotiationType.PROVIDER
_SENDING: Final = frozenset({_S.REQUESTING, _S.AGREEING, _S.VERIFYING, _S.FINALIZING, _S.TERMINATING})


class ContractNegotiationManager:
    """Moves negotiations on, one step at a time."""

    def __init__(
        self, *, client: DataspaceClient, patience: Patience, guard: PendingGuard[ContractNegotiation], clock: Clock
    ) -> None:
        self._client = client
        self._guard = guard
        self._patience = patience
        self._clock = clock
        self._acts: dict[
            tuple[NegotiationType, NegotiationState],
            Callable[[ContractNegotiation], Awaitable[ContractNegotiation]],
        ] = {
            (_CONSUMER, _S.INITIAL): self._begin_request,
            (_CONSUMER, _S.REQUESTING): self._request,
            (_CONSUMER, _S.AGREED): self._begin_verification,
            (_CONSUMER, _S.VERIFYING): self._verify,
            (_CONSUMER, _S.TERMINATING): self._terminate,
            (_PROVIDER, _S.REQUESTED): self._begin_agreement,
            (_PROVIDER, _S.AGREEING): self._agree,
            (_PROVIDER, _S.VERIFIED): self._begin_finalization,
            (_PROVIDER, _S.FINALIZING): self._finalize,
            (_PROVIDER, _S.TERMINATING): self._terminate,
        }

    @property
    def acting_states(self) -> frozenset[tuple[NegotiationType, NegotiationState]]:
        """The states in which this manager has something to do."""
        return frozenset(self._acts)

    async def take_step(self, leased: Leased[ContractNegotiation]) -> Step[ContractNegotiation]:
        """One step; never raises for what ports are allowed to raise."""
        now = self._clock.now()
        before = leased.entity
        with log_facts(negotiation_id=before.id, participant_id=before.participant_id):
            negotiation, applied = self._apply_inbox(before, leased.inbox, now)
            negotiation = self._expired(negotiation, now)
            is_time = negotiation.next_attempt_at is None or negotiation.next_attempt_at <= now
            if negotiation.state is before.state and is_time:
                negotiation = await self._act(negotiation)
            negotiation = self._settled(negotiation)
            if negotiation.state is not before.state:
                _log.info(
                    "negotiation moved",
                    extra={"from_state": before.state.name, "state": negotiation.state.name, "side": before.type.value},
                )
            due_at = self._due_at(negotiation)
            if negotiation.state is not before.state and len(applied) < len(leased.inbox):
                # A message that was too early for the state before may have its turn in this one.
                due_at = self._clock.now()
            return Step(negotiation, applied, due_at)

    def abandoned(self, leased: Leased[ContractNegotiation], error: PermanentError) -> Step[ContractNegotiation]:
        """The step that ends a negotiation whose last step can never be saved."""
        negotiation = self._settled(self._ended(replace(leased.entity, agreement=None), redacted(error.message)))
        return Step(negotiation, leased.inbox, self._due_at(negotiation))

    def _apply_inbox(
        self, negotiation: ContractNegotiation, inbox: Sequence[InboxMessage], now: datetime
    ) -> tuple[ContractNegotiation, list[InboxMessage]]:
        applied: list[InboxMessage] = []
        for message in inbox:
            event = NegotiationEvent(message.kind)
            if NEGOTIATION_MACHINES[negotiation.type].next_state(negotiation.state, event) is not None:
                negotiation = _noted(negotiation, event, message.payload)
                negotiation = fire_negotiation(negotiation, event, at=now)
                applied.append(message)
            elif negotiation.is_outcome or not negotiation_will_accept(negotiation, [], event):
                applied.append(message)
        return negotiation, applied

    async def _act(self, negotiation: ContractNegotiation) -> ContractNegotiation:
        act = self._acts.get((negotiation.type, negotiation.state))
        if act is None:
            return negotiation
        try:
            async with asyncio.timeout(self._patience.step_seconds):
                return await act(negotiation)
        except StoreUnavailableError:
            raise
        except (TransientError, TimeoutError) as error:
            now = self._clock.now()
            _log.warning("an attempt failed and will be repeated", extra={"error": redacted(str(error))})
            when = self._patience.backoff.next_attempt(negotiation.attempt, error, now)
            return negotiation.retried_at(when, now)
        except PermanentError as error:
            _log.error("an attempt failed for good", extra={"error": redacted(error.message)})
            return self._ended(negotiation, redacted(error.message))

    def _expired(self, negotiation: ContractNegotiation, now: datetime) -> ContractNegotiation:
        if negotiation.is_outcome or negotiation.deadline_at is None or negotiation.deadline_at > now:
            return negotiation
        return self._ended(negotiation, f"{negotiation.state.name} lasted longer than the configured limit.")

    def _ended(self, negotiation: ContractNegotiation, reason: str) -> ContractNegotiation:
        ending = negotiation.state is _S.TERMINATING
        event = _E.FINISH_TERMINATION if ending else _E.TERMINATE
        negotiation = replace(negotiation, error_detail=negotiation.error_detail or reason)
        return fire_negotiation(negotiation, event, at=self._clock.now())

    def _settled(self, negotiation: ContractNegotiation) -> ContractNegotiation:
        if negotiation.is_outcome:
            return negotiation
        if negotiation.state in _SENDING and negotiation.message_id is None:
            negotiation = replace(negotiation, message_id=f"urn:uuid:{uuid4()}")
        if negotiation.deadline_at is None:
            negotiation = negotiation.with_deadline(self._patience.negotiation_seconds[negotiation.state])
        return negotiation

    def _due_at(self, negotiation: ContractNegotiation) -> datetime | None:
        if negotiation.is_outcome:
            return None
        if negotiation.state in NEGOTIATION_WAITING[negotiation.type]:
            return negotiation.deadline_at
        return negotiation.next_attempt_at or self._clock.now()

    def _fired(self, negotiation: ContractNegotiation, event: NegotiationEvent) -> ContractNegotiation:
        return fire_negotiation(negotiation, event, at=self._clock.now())

    async def _begin_request(self, negotiation: ContractNegotiation) -> ContractNegotiation:
        return self._fired(negotiation, _E.REQUEST)

    async def _request(self, negotiation: ContractNegotiation) -> ContractNegotiation:
        provider_pid = await self._client.request_contract(negotiation)
        return self._fired(replace(negotiation, correlation_id=provider_pid), _E.FINISH_REQUEST)

    async def _begin_verification(self, negotiation: ContractNegotiation) -> ContractNegotiation:
        return self._fired(negotiation, _E.VERIFY)

    async def _verify(self, negotiation: ContractNegotiation) -> ContractNegotiation:
        await self._client.send_verification(negotiation)
        return self._fired(negotiation, _E.FINISH_VERIFICATION)

    async def _begin_agreement(self, negotiation: ContractNegotiation) -> ContractNegotiation:
        now = self._clock.now()
        # To the millisecond, as it is sent: both sides hold the same agreement.
        signed_at = now.replace(microsecond=now.microsecond // 1000 * 1000)
        agreement = _agreement(negotiation, str(uuid4()), signed_at)
        return self._fired(replace(negotiation, agreement=agreement), _E.AGREE)

    async def _agree(self, negotiation: ContractNegotiation) -> ContractNegotiation:
        await self._client.send_agreement(negotiation)
        return self._fired(negotiation, _E.FINISH_AGREEMENT)

    async def _begin_finalization(self, negotiation: ContractNegotiation) -> ContractNegotiation:
        return self._fired(negotiation, _E.FINALIZE)

    async def _finalize(self, negotiation: ContractNegotiation) -> ContractNegotiation:
        await self._client.send_finalization(negotiation)
        return self._fired(negotiation, _E.FINISH_FINALIZATION)

    async def _terminate(self, negotiation: ContractNegotiation) -> ContractNegotiation:
        if negotiation.correlation_id is not None:
            await self._client.terminate_negotiation(negotiation)
        return self._fired(negotiation, _E.FINISH_TERMINATION)


def _noted(negotiation: ContractNegotiation, event: NegotiationEvent, payload: Any) -> ContractNegotiation:
    """What the message tells, beside the move itself."""
    if event is _E.AGREE:
        signed_at = datetime.fromisoformat(payload["timestamp"])
        return replace(negotiation, agreement=_agreement(negotiation, payload["agreementId"], signed_at))
    if event in {_E.TERMINATE, _E.TERMINATE_BY_COUNTERPARTY}:
        return replace(negotiation, error_detail=negotiation.error_detail or str(payload.get("message") or ""))
    return negotiation


def _agreement(negotiation: ContractNegotiation, agreement_id: str, signed_at: datetime) -> ContractAgreement:
    consumer = negotiation.type is _CONSUMER
    own, other = negotiation.participant_id, negotiation.counter_party_id
    return ContractAgreement(
        id=agreement_id,
        participant_id=own,
        provider_id=other if consumer else own,
        consumer_id=own if consumer else other,
        asset_id=negotiation.asset_id,
        policy=negotiation.policy,
        signed_at=signed_at,
        negotiation_id=negotiation.id,
    )
