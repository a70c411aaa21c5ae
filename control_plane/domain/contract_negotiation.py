"""ContractNegotiation: how two participants come to an agreement. State names and codes are EDC's (v0.18.0)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Any, Final

from connector_spi.errors import InvalidTransitionError
from control_plane.domain.contract_agreement import ContractAgreement
from control_plane.domain.policy import Policy
from control_plane.domain.state_machine import StateMachine


class NegotiationType(StrEnum):
    """Which side of the negotiation this is."""

    CONSUMER = "CONSUMER"
    PROVIDER = "PROVIDER"


class NegotiationState(IntEnum):
    """The codes are for rows and clients; code never compares them by size."""

    INITIAL = 50
    REQUESTING = 100
    REQUESTED = 200
    OFFERING = 300
    OFFERED = 400
    ACCEPTING = 700
    ACCEPTED = 800
    AGREEING = 825
    AGREED = 850
    VERIFYING = 1050
    VERIFIED = 1100
    FINALIZING = 1150
    FINALIZED = 1200
    TERMINATING = 1300
    TERMINATED = 1400


class NegotiationEvent(StrEnum):
    """What can happen to a negotiation."""

    REQUEST = "REQUEST"
    """Consumer: begin to ask, at first or against an offer. Provider: a request against the offer came."""
    FINISH_REQUEST = "FINISH_REQUEST"
    """Consumer: the provider acknowledged."""
    OFFER = "OFFER"
    """Provider: begin to offer. Consumer: an offer came."""
    FINISH_OFFER = "FINISH_OFFER"
    """Provider: the consumer acknowledged the offer."""
    ACCEPT = "ACCEPT"
    """Consumer: begin to accept the offer. Provider: the acceptance came."""
    FINISH_ACCEPTANCE = "FINISH_ACCEPTANCE"
    """Consumer: the provider acknowledged the acceptance."""
    AGREE = "AGREE"
    """Provider: begin to agree. Consumer: the agreement came."""
    FINISH_AGREEMENT = "FINISH_AGREEMENT"
    """Provider: the consumer acknowledged the agreement."""
    VERIFY = "VERIFY"
    """Consumer: begin to verify. Provider: the verification came."""
    FINISH_VERIFICATION = "FINISH_VERIFICATION"
    FINALIZE = "FINALIZE"
    """Provider: begin to finalise. Consumer: the provider finalised."""
    FINISH_FINALIZATION = "FINISH_FINALIZATION"
    TERMINATE = "TERMINATE"
    """This side ends the negotiation; the counterparty is told."""
    TERMINATE_BY_COUNTERPARTY = "TERMINATE_BY_COUNTERPARTY"
    FINISH_TERMINATION = "FINISH_TERMINATION"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractNegotiation:
    """One negotiation, frozen: moves are made by `fire_negotiation`, which returns the next one."""

    id: str
    participant_id: str
    type: NegotiationType
    state: NegotiationState = NegotiationState.INITIAL
    previous_state: NegotiationState | None = None
    """The state it came from. While a message is on its way, that is what the counterparty is shown."""
    state_count: int = 1
    state_timestamp: datetime
    created_at: datetime
    updated_at: datetime
    counter_party_id: str
    counter_party_address: str
    protocol: str
    correlation_id: str | None = None
    """The counterparty's process id, once known."""
    counter_party_claims: Mapping[str, Any] = field(default_factory=dict)
    """What the counterparty's last request proved about it."""
    offer_id: str
    asset_id: str
    policy: Policy
    """The terms on the table, exactly as whoever spoke last put them; an agreement echoes them."""
    own_policy: Policy | None = None
    """The terms that this side last put forward; None: it has put forward none."""
    pending: bool = False
    """Whether this side waits for a decision of its own people."""
    agreement: ContractAgreement | None = None
    request_fingerprint: str = ""
    message_id: str | None = None
    attempt: int = 0
    next_attempt_at: datetime | None = None
    deadline_at: datetime | None = None
    error_code: str | None = None
    error_detail: str | None = None

    @property
    def is_outcome(self) -> bool:
        """Whether the negotiation has ended."""
        return self.state in NEGOTIATION_OUTCOMES

    def entered(self, state: NegotiationState, at: datetime) -> "ContractNegotiation":
        """The negotiation after it entered `state`; what belonged to the state before is cleared."""
        return replace(
            self,
            state=state,
            previous_state=self.state,
            pending=False,
            state_count=self.state_count + 1 if state is self.state else 1,
            state_timestamp=at,
            updated_at=at,
            message_id=None,
            attempt=0,
            next_attempt_at=None,
            deadline_at=None,
        )

    def retried_at(self, when: datetime, at: datetime) -> "ContractNegotiation":
        """The negotiation after a failed attempt that is repeated at `when`."""
        return replace(
            self,
            attempt=self.attempt + 1,
            state_count=self.state_count + 1,
            next_attempt_at=when,
            updated_at=at,
        )

    def with_deadline(self, seconds: float) -> "ContractNegotiation":
        """The negotiation with a limit on how long its present state may last."""
        return replace(self, deadline_at=self.state_timestamp + timedelta(seconds=seconds))


_S = NegotiationState
_E = NegotiationEvent

NEGOTIATION_OUTCOMES: Final = frozenset({_S.FINALIZED, _S.TERMINATED})

_CONSUMER_STATES: Final = (
    _S.INITIAL,
    _S.REQUESTING,
    _S.REQUESTED,
    _S.OFFERED,
    _S.ACCEPTING,
    _S.ACCEPTED,
    _S.AGREED,
    _S.VERIFYING,
    _S.VERIFIED,
)
_PROVIDER_STATES: Final = (
    _S.INITIAL,
    _S.REQUESTED,
    _S.OFFERING,
    _S.OFFERED,
    _S.ACCEPTED,
    _S.AGREEING,
    _S.AGREED,
    _S.VERIFIED,
    _S.FINALIZING,
)


def _ending(states: tuple[_S, ...]) -> dict[_E, list[tuple[_S, _S]]]:
    return {
        _E.TERMINATE: [(s, _S.TERMINATING) for s in states],
        _E.TERMINATE_BY_COUNTERPARTY: [(s, _S.TERMINATED) for s in (*states, _S.TERMINATING)],
        _E.FINISH_TERMINATION: [(_S.TERMINATING, _S.TERMINATED)],
    }


NEGOTIATION_MACHINES: Final = {
    NegotiationType.CONSUMER: StateMachine(
        NegotiationState,
        _S.INITIAL,
        {
            **_ending(_CONSUMER_STATES),
            _E.REQUEST: [(_S.INITIAL, _S.REQUESTING), (_S.OFFERED, _S.REQUESTING)],
            _E.FINISH_REQUEST: [(_S.REQUESTING, _S.REQUESTED)],
            _E.OFFER: [(_S.REQUESTED, _S.OFFERED)],
            _E.ACCEPT: [(_S.OFFERED, _S.ACCEPTING)],
            _E.FINISH_ACCEPTANCE: [(_S.ACCEPTING, _S.ACCEPTED)],
            _E.AGREE: [(_S.REQUESTED, _S.AGREED), (_S.ACCEPTED, _S.AGREED)],
            _E.VERIFY: [(_S.AGREED, _S.VERIFYING)],
            _E.FINISH_VERIFICATION: [(_S.VERIFYING, _S.VERIFIED)],
            _E.FINALIZE: [(_S.VERIFIED, _S.FINALIZED)],
        },
    ),
    NegotiationType.PROVIDER: StateMachine(
        NegotiationState,
        _S.REQUESTED,
        {
            **_ending(_PROVIDER_STATES),
            _E.OFFER: [(_S.INITIAL, _S.OFFERING), (_S.REQUESTED, _S.OFFERING)],
            _E.FINISH_OFFER: [(_S.OFFERING, _S.OFFERED)],
            _E.REQUEST: [(_S.OFFERED, _S.REQUESTED)],
            _E.ACCEPT: [(_S.OFFERED, _S.ACCEPTED)],
            _E.AGREE: [(_S.REQUESTED, _S.AGREEING), (_S.ACCEPTED, _S.AGREEING)],
            _E.FINISH_AGREEMENT: [(_S.AGREEING, _S.AGREED)],
            _E.VERIFY: [(_S.AGREED, _S.VERIFIED)],
            _E.FINALIZE: [(_S.VERIFIED, _S.FINALIZING)],
            _E.FINISH_FINALIZATION: [(_S.FINALIZING, _S.FINALIZED)],
        },
    ),
}

NEGOTIATION_WAITING: Final = {
    NegotiationType.CONSUMER: frozenset({_S.REQUESTED, _S.ACCEPTED, _S.VERIFIED}),
    NegotiationType.PROVIDER: frozenset({_S.OFFERED, _S.AGREED}),
}
"""States in which this side waits for the other; every other open state is one that the loop works on."""

NEGOTIATION_DECISIONS: Final = {
    NegotiationType.CONSUMER: frozenset({_S.OFFERED, _S.AGREED}),
    NegotiationType.PROVIDER: frozenset({_S.REQUESTED, _S.ACCEPTED, _S.VERIFIED}),
}
"""States in which this side decides how it goes on."""

NEGOTIATION_SENDING: Final = {
    _S.REQUESTING: _S.REQUESTED,
    _S.OFFERING: _S.OFFERED,
    _S.ACCEPTING: _S.ACCEPTED,
    _S.AGREEING: _S.AGREED,
    _S.VERIFYING: _S.VERIFIED,
    _S.FINALIZING: _S.FINALIZED,
    _S.TERMINATING: _S.TERMINATED,
}
"""States in which a message is on its way, and the state that follows when it is acknowledged."""


def fire_negotiation(negotiation: ContractNegotiation, event: NegotiationEvent, *, at: datetime) -> ContractNegotiation:
    """The negotiation after the event.

    Raises:
        InvalidTransitionError: the table has no such move.
    """
    target = NEGOTIATION_MACHINES[negotiation.type].next_state(negotiation.state, event)
    if target is None:
        raise InvalidTransitionError(entity_id=negotiation.id, state=negotiation.state.name, event=event.value)
    return negotiation.entered(target, at)


def after_waiting(negotiation: ContractNegotiation, pending: Sequence[NegotiationEvent]) -> ContractNegotiation:
    """The negotiation as its counterparty knows it: with the messages that this side has acknowledged and not applied.

    A counterparty that answers a message knows of it before this side has noted the acknowledgement.
    """
    machine, at = NEGOTIATION_MACHINES[negotiation.type], negotiation.state_timestamp
    for event in pending:
        target = machine.next_state(negotiation.state, event)
        if target is None and negotiation.state in NEGOTIATION_SENDING:
            target = machine.next_state(NEGOTIATION_SENDING[negotiation.state], event)
        negotiation = negotiation.entered(target, at) if target is not None else negotiation
    return negotiation


def negotiation_will_accept(
    negotiation: ContractNegotiation, pending: Sequence[NegotiationEvent], event: NegotiationEvent
) -> bool:
    """Whether the event is legal now, or will be after the step under way and the events that wait.

    Only what is being sent already is taken for acknowledged: nobody can answer a message that merely waits.
    """
    machine = NEGOTIATION_MACHINES[negotiation.type]
    reached = [negotiation.state]
    if negotiation.state in NEGOTIATION_SENDING:
        reached.append(NEGOTIATION_SENDING[negotiation.state])
    for earlier in pending:
        moved = [after for state in reached if (after := machine.next_state(state, earlier)) is not None]
        reached = moved or reached
    return any(machine.next_state(state, event) is not None for state in reached)
