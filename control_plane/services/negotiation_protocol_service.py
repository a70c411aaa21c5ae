"""What counterparties send about negotiations: checked, noted, answered. The work is the manager's."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from connector_spi.clock import Clock
from connector_spi.errors import ConflictError, InvalidInputError, InvalidTransitionError, NotFoundError
from connector_spi.outbound_addresses import OutboundAddressPolicy
from control_plane.domain.contract_definition import OfferId
from control_plane.domain.contract_negotiation import (
    ContractNegotiation,
    NegotiationEvent,
    NegotiationState,
    NegotiationType,
    after_waiting,
)
from control_plane.domain.contract_terms import same_terms
from control_plane.domain.inbox import FROM_COUNTERPARTY, InboxMessage, heard
from control_plane.domain.participant import Participant
from control_plane.domain.policy import Policy
from control_plane.ports.stores import ContractNegotiationStore
from control_plane.services.catalog_service import CatalogService
from control_plane.services.negotiation_inbox import accepting, agreement_noted, claims_noted, terms_noted

_S = NegotiationState
_E = NegotiationEvent
_CONSUMER, _PROVIDER = NegotiationType.CONSUMER, NegotiationType.PROVIDER
_SENT_BY: Final = {
    _E.REQUEST: _CONSUMER,
    _E.OFFER: _PROVIDER,
    _E.ACCEPT: _CONSUMER,
    _E.AGREE: _PROVIDER,
    _E.VERIFY: _CONSUMER,
    _E.FINALIZE: _PROVIDER,
}
"""Which side may send it; either may terminate. The other side's table has these events too, as moves of its own."""
_ALREADY_SO: Final[Mapping[NegotiationEvent, frozenset[NegotiationState]]] = {
    _E.ACCEPT: frozenset({_S.ACCEPTED}),
    _E.AGREE: frozenset({_S.AGREED, _S.VERIFYING, _S.VERIFIED, _S.FINALIZED}),
    _E.VERIFY: frozenset({_S.VERIFIED, _S.FINALIZING, _S.FINALIZED}),
    _E.FINALIZE: frozenset({_S.FINALIZED}),
    _E.TERMINATE_BY_COUNTERPARTY: frozenset({_S.TERMINATED}),
}
"""States in which a repeated message tells nothing new: it is acknowledged and changes nothing. A second request or
offer tells something new, unless it has the id of the first."""

Accept = Callable[[ContractNegotiation, Sequence[InboxMessage]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingOffer:
    """The offer inside a ContractRequestMessage or a ContractOfferMessage."""

    id: str
    target: str
    policy: Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingOpening:
    """A message that opens a negotiation: a consumer's request, or a provider's offer."""

    pid: str
    """The sender's process id."""
    callback_address: str
    protocol: str
    offer: IncomingOffer


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingAgreement:
    """The agreement inside a ContractAgreementMessage."""

    id: str
    target: str
    assigner: str
    assignee: str
    timestamp: datetime
    policy: Policy


class NegotiationProtocolService:
    """The negotiation part of the Dataspace Protocol, receiving side."""

    def __init__(
        self,
        *,
        participant_id: str,
        negotiations: ContractNegotiationStore,
        catalog: CatalogService,
        outbound: OutboundAddressPolicy,
        clock: Clock,
    ) -> None:
        self._participant_id = participant_id
        self._negotiations = negotiations
        self._catalog = catalog
        self._outbound = outbound
        self._clock = clock

    async def get(self, counter_party_id: str, negotiation_id: str) -> ContractNegotiation:
        """The counterparty's own negotiation.

        Raises:
            NotFoundError: there is none, or it is somebody else's.
        """
        negotiation = await self._negotiations.find(negotiation_id)
        if negotiation is None or negotiation.counter_party_id != counter_party_id:
            raise NotFoundError(kind="ContractNegotiation", object_id=negotiation_id)
        return negotiation

    async def shown(self, counter_party_id: str, negotiation_id: str) -> ContractNegotiation:
        """The counterparty's own negotiation as it knows it: what was acknowledged is so, applied or not.

        Raises:
            NotFoundError: there is none, or it is somebody else's.
        """
        found = await self._negotiations.find_with_inbox(negotiation_id)
        if found is None or found[0].counter_party_id != counter_party_id:
            raise NotFoundError(kind="ContractNegotiation", object_id=negotiation_id)
        negotiation, waiting = found
        return after_waiting(negotiation, [NegotiationEvent(message.kind) for message in heard(waiting)])

    async def on_request(self, caller: Participant, request: IncomingOpening) -> ContractNegotiation:
        """A consumer asks for a contract, under the offered terms or others. The same process again is the same one.

        Raises:
            NotFoundError: the offer is not made to the caller (any more).
            InvalidInputError: the offer is about another asset.
            ForbiddenAddressError: the call-back address may not be called.
        """
        found = await self._opened_before(caller, request, _PROVIDER)
        if found is not None:
            return found
        asset_id = await self._offered_asset(caller, request.offer)
        return await self._opened(caller, request, _PROVIDER, _S.REQUESTED, asset_id)

    async def on_offer(self, caller: Participant, offer: IncomingOpening) -> ContractNegotiation:
        """A provider offers a contract unasked. The same process again is the same one.

        Raises:
            ForbiddenAddressError: the call-back address may not be called.
        """
        found = await self._opened_before(caller, offer, _CONSUMER)
        if found is not None:
            return found
        return await self._opened(caller, offer, _CONSUMER, _S.OFFERED, offer.offer.target)

    async def on_proposal(
        self,
        caller: Participant,
        negotiation: ContractNegotiation,
        event: NegotiationEvent,
        offer: IncomingOffer,
        message_id: str,
    ) -> None:
        """The counterparty answers with terms of its own: REQUEST by a consumer, OFFER by a provider.

        Raises:
            InvalidInputError: the offer is about another asset.
            InvalidTransitionError: the state does not allow it.
        """
        if offer.target and offer.target != negotiation.asset_id:
            raise InvalidInputError(
                field="offer.target", value=offer.target, problem="is not the asset under negotiation"
            )
        # A provider's offer has an id that counts from now on; what a consumer answers keeps the offer's.
        payload = terms_noted(offer.policy, offer.id if event is _E.OFFER else "")
        await self._note(negotiation, self._message(caller, event, payload, message_id))

    async def on_agreement(
        self, caller: Participant, negotiation: ContractNegotiation, agreement: IncomingAgreement, message_id: str
    ) -> None:
        """The provider agrees.

        Raises:
            InvalidInputError: the agreement is not what was asked for or offered last.
            InvalidTransitionError: the state does not allow it.
        """
        self._check_agreement(negotiation, agreement)
        known = await self._negotiations.find_agreement(agreement.id)
        reached = negotiation.agreement
        if (known is not None and known.negotiation_id != negotiation.id) or (
            reached is not None and reached.id != agreement.id
        ):
            raise InvalidInputError(
                field="agreement.@id",
                value=agreement.id,
                problem="is the id of another agreement",
                remedy="Use a new one for each negotiation, and keep it.",
            )

        def unchanged(current: ContractNegotiation, pending: Sequence[InboxMessage]) -> None:
            accepting(_E.AGREE)(current, pending)
            self._check_agreement(current, agreement)

        payload = agreement_noted(agreement.id, agreement.timestamp)
        await self._note(negotiation, self._message(caller, _E.AGREE, payload, message_id), unchanged)

    async def on_event(
        self,
        caller: Participant,
        negotiation: ContractNegotiation,
        event: NegotiationEvent,
        *,
        message_id: str,
        payload: Mapping[str, Any],
    ) -> None:
        """The counterparty accepted, verified, finalised or terminated.

        Raises:
            InvalidTransitionError: the state does not allow it.
        """
        await self._note(negotiation, self._message(caller, event, payload, message_id))

    def _message(
        self, caller: Participant, event: NegotiationEvent, payload: Mapping[str, Any], message_id: str
    ) -> InboxMessage:
        return InboxMessage(
            id=f"{FROM_COUNTERPARTY}{event.value}-{message_id or uuid4()}",
            kind=event.value,
            payload={**payload, **claims_noted(caller.claims)},
            received_at=self._clock.now(),
        )

    async def _note(
        self, negotiation: ContractNegotiation, message: InboxMessage, accept: Accept | None = None
    ) -> None:
        event = NegotiationEvent(message.kind)
        if _SENT_BY.get(event) is negotiation.type:
            raise InvalidTransitionError(entity_id=negotiation.id, state=negotiation.state.name, event=event.value)
        if negotiation.state not in _ALREADY_SO.get(event, ()):
            await self._negotiations.append(negotiation.id, message, accept or accepting(event))

    async def _opened_before(
        self, caller: Participant, opening: IncomingOpening, own_side: NegotiationType
    ) -> ContractNegotiation | None:
        """The negotiation that this process of the caller's has opened already."""
        self._outbound.check_url(opening.callback_address)
        found = await self._negotiations.find_by_correlation(caller.id, opening.pid)
        if found is not None and found.type is not own_side:
            raise ConflictError(f"The process {opening.pid!r} is known in a negotiation with the roles exchanged.")
        return found

    async def _opened(
        self,
        caller: Participant,
        opening: IncomingOpening,
        own_side: NegotiationType,
        state: NegotiationState,
        asset_id: str,
    ) -> ContractNegotiation:
        now = self._clock.now()
        negotiation = ContractNegotiation(
            id=str(uuid4()),
            participant_id=self._participant_id,
            type=own_side,
            state=state,
            state_timestamp=now,
            created_at=now,
            updated_at=now,
            counter_party_id=caller.id,
            counter_party_claims=caller.claims,
            counter_party_address=opening.callback_address.rstrip("/"),
            protocol=opening.protocol,
            correlation_id=opening.pid,
            offer_id=opening.offer.id,
            asset_id=asset_id,
            policy=opening.offer.policy,
        )
        try:
            await self._negotiations.create(negotiation, due_at=now)
        except ConflictError:
            found = await self._opened_before(caller, opening, own_side)
            if found is None:
                raise
            return found
        return negotiation

    async def _offered_asset(self, caller: Participant, asked: IncomingOffer) -> str:
        """The asset of the offer that the request names. The request may be for other terms."""
        try:
            offer_id = OfferId.parse(asked.id)
        except InvalidInputError:
            raise NotFoundError(kind="Offer", object_id=asked.id) from None
        offer = await self._catalog.find_offer(caller, offer_id)
        if offer is None:
            raise NotFoundError(kind="Offer", object_id=asked.id)
        if asked.target and asked.target != offer.asset.id:
            raise InvalidInputError(field="offer.target", value=asked.target, problem="is not the offered dataset")
        return offer.asset.id

    def _check_agreement(self, negotiation: ContractNegotiation, agreement: IncomingAgreement) -> None:
        expected = {
            "agreement.target": (agreement.target, negotiation.asset_id),
            "agreement.assigner": (agreement.assigner, negotiation.counter_party_id),
            "agreement.assignee": (agreement.assignee, self._participant_id),
        }
        for field, (got, wanted) in expected.items():
            if got != wanted:
                raise InvalidInputError(field=field, value=got, problem="is not what was requested")
        if not same_terms(agreement.policy, negotiation.policy):
            raise InvalidInputError(
                field="agreement", value=agreement.policy.rules(), problem="has other rules than the last offer"
            )
