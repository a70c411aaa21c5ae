"""Applies the messages that wait for a negotiation. Pure: the lease holder calls it before its step."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from connector_spi.errors import InvalidTransitionError
from control_plane.domain.contract_agreement import ContractAgreement
from control_plane.domain.contract_negotiation import (
    NEGOTIATION_MACHINES,
    ContractNegotiation,
    NegotiationEvent,
    NegotiationType,
    fire_negotiation,
    negotiation_will_accept,
)
from control_plane.domain.inbox import InboxMessage
from control_plane.domain.policy import Policy

_log = logging.getLogger(__name__)

_E = NegotiationEvent
_CONSUMER, _PROVIDER = NegotiationType.CONSUMER, NegotiationType.PROVIDER
_PROPOSALS: Final = {_E.REQUEST: _CONSUMER, _E.OFFER: _PROVIDER}
"""Events that put terms on the table, and whose they are."""
_ENDINGS: Final = frozenset({_E.TERMINATE, _E.TERMINATE_BY_COUNTERPARTY})
_TERMS, _OFFER_ID, _CLAIMS = "terms", "offerId", "claims"
_AGREEMENT_ID, _SIGNED_AT = "agreementId", "timestamp"


def accepting(event: NegotiationEvent) -> Callable[[ContractNegotiation, Sequence[InboxMessage]], None]:
    """The check under which a message is put into the inbox: legal now, or after what is under way and waiting.

    The check raises InvalidTransitionError to refuse.
    """

    def accept(negotiation: ContractNegotiation, pending: Sequence[InboxMessage]) -> None:
        if not negotiation_will_accept(negotiation, [NegotiationEvent(m.kind) for m in pending], event):
            raise InvalidTransitionError(entity_id=negotiation.id, state=negotiation.state.name, event=event.value)

    return accept


def terms_noted(policy: Policy, offer_id: str = "") -> dict[str, Any]:
    """Payload of a message that puts terms on the table; `offer_id` is empty where it stays as it is."""
    return {_TERMS: policy.document()} | ({_OFFER_ID: offer_id} if offer_id else {})


def agreement_noted(agreement_id: str, signed_at: datetime) -> dict[str, Any]:
    """Payload of a message by which the terms on the table become an agreement."""
    return {_AGREEMENT_ID: agreement_id, _SIGNED_AT: signed_at.isoformat()}


def claims_noted(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Further payload of a counterparty's message: what it proved about itself, nothing included."""
    return {_CLAIMS: dict(claims)}


def apply_inbox(
    negotiation: ContractNegotiation, inbox: Sequence[InboxMessage], now: datetime
) -> tuple[ContractNegotiation, list[InboxMessage]]:
    """The negotiation after the messages that can be applied now, and those messages.

    A message that will be legal after the step under way stays in the inbox; one that never will be is dropped, which
    is logged.
    """
    applied: list[InboxMessage] = []
    kept: list[NegotiationEvent] = []
    for message in inbox:
        event = NegotiationEvent(message.kind)
        if NEGOTIATION_MACHINES[negotiation.type].next_state(negotiation.state, event) is not None:
            negotiation = fire_negotiation(noted(negotiation, event, message.payload), event, at=now)
            applied.append(message)
        elif negotiation.is_outcome or not negotiation_will_accept(negotiation, kept, event):
            _log.info(
                "a message came too late and changes nothing",
                extra={"negotiation_id": negotiation.id, "state": negotiation.state.name, "event": event.value},
            )
            applied.append(message)
        else:
            kept.append(event)
    return negotiation, applied


def noted(negotiation: ContractNegotiation, event: NegotiationEvent, payload: Mapping[str, Any]) -> ContractNegotiation:
    """What the message tells, beside the move itself."""
    if _CLAIMS in payload:
        negotiation = replace(negotiation, counter_party_claims=payload[_CLAIMS])
    if event in _PROPOSALS:
        policy = Policy.of_document(payload[_TERMS])
        own = _PROPOSALS[event] is negotiation.type
        return replace(
            negotiation,
            policy=policy,
            own_policy=policy if own else negotiation.own_policy,
            offer_id=payload.get(_OFFER_ID) or negotiation.offer_id,
        )
    if event is _E.AGREE:
        return agreed(negotiation, payload[_AGREEMENT_ID], datetime.fromisoformat(payload[_SIGNED_AT]))
    if event in _ENDINGS:
        code, detail = payload.get("code") or "Terminated", payload.get("message") or "No reason was given."
        return with_error(negotiation, str(code), str(detail))
    return negotiation


def agreed(negotiation: ContractNegotiation, agreement_id: str, signed_at: datetime) -> ContractNegotiation:
    """The negotiation with the terms on the table as its agreement."""
    consumer = negotiation.type is _CONSUMER
    own, other = negotiation.participant_id, negotiation.counter_party_id
    agreement = ContractAgreement(
        id=agreement_id,
        participant_id=own,
        provider_id=other if consumer else own,
        consumer_id=own if consumer else other,
        asset_id=negotiation.asset_id,
        policy=negotiation.policy,
        signed_at=signed_at,
        negotiation_id=negotiation.id,
    )
    return replace(negotiation, agreement=agreement)


def to_the_millisecond(moment: datetime) -> datetime:
    """As an agreement's time is sent: both sides hold the same one."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def with_error(negotiation: ContractNegotiation, code: str, detail: str) -> ContractNegotiation:
    """The negotiation with the reason why it ends; the first one recorded stays."""
    if negotiation.error_detail:
        return negotiation
    return replace(negotiation, error_code=code, error_detail=detail)
