"""What counterparties send about negotiations: checked, noted, answered. The work is the manager's."""

from collections.abc import Mapping, Sequence
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
    negotiation_will_accept,
)
from control_plane.domain.inbox import InboxMessage
from control_plane.domain.participant import Participant
from control_plane.domain.policy import Policy
from control_plane.ports.stores import ContractNegotiationStore
from control_plane.services.catalog_service import CatalogService

_S = NegotiationState
_E = NegotiationEvent
_SENT_BY: Final = {
    _E.AGREE: NegotiationType.PROVIDER,
    _E.VERIFY: NegotiationType.CONSUMER,
    _E.FINALIZE: NegotiationType.PROVIDER,
}
"""Which side may send it; either may terminate. The other side's table has these events too, as moves of its own."""
_ALREADY_SO: Final = {
    _E.AGREE: {_S.AGREED, _S.VERIFYING, _S.VERIFIED, _S.FINALIZED},
    _E.VERIFY: {_S.VERIFIED, _S.FINALIZING, _S.FINALIZED},
    _E.FINALIZE: {_S.FINALIZED},
    _E.TERMINATE_BY_COUNTERPARTY: {_S.TERMINATED},
}
"""States in which a repeated message tells nothing new: it is acknowledged and changes nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingContractRequest:
    """A ContractRequestMessage that opens a negotiation."""

    consumer_pid: str
    callback_address: str
    protocol: str
    offer_id: str
    target: str
    policy: Policy


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

    async def on_request(self, caller: Participant, request: IncomingContractRequest) -> ContractNegotiation:
        """A consumer asks for a contract. The same consumer process again returns the same negotiation.

        Raises:
            NotFoundError: the offer is not made (any more).
            InvalidInputError: the offer is not one of ours, or its rules differ from ours.
            ForbiddenAddressError: the call-back address may not be called.
        """
        self._outbound.check_url(request.callback_address)
        found = await self._negotiations.find_by_correlation(caller.id, request.consumer_pid)
        if found is not None:
            return found
        await self._check_offer(caller, request)
        now = self._clock.now()
        negotiation = ContractNegotiation(
            id=str(uuid4()),
            participant_id=self._participant_id,
            type=NegotiationType.PROVIDER,
            state=_S.REQUESTED,
            state_timestamp=now,
            created_at=now,
            updated_at=now,
            counter_party_id=caller.id,
            counter_party_claims=caller.claims,
            counter_party_address=request.callback_address.rstrip("/"),
            protocol=request.protocol,
            correlation_id=request.consumer_pid,
            offer_id=request.offer_id,
            asset_id=request.target,
            policy=request.policy,
        )
        try:
            await self._negotiations.create(negotiation, due_at=now)
        except ConflictError:
            found = await self._negotiations.find_by_correlation(caller.id, request.consumer_pid)
            if found is None:
                raise
            return found
        return negotiation

    async def on_agreement(
        self, counter_party_id: str, negotiation_id: str, agreement: IncomingAgreement, message_id: str
    ) -> None:
        """The provider agrees.

        Raises:
            NotFoundError: there is no such negotiation of this counterparty.
            InvalidInputError: the agreement is not what was offered.
            InvalidTransitionError: the state does not allow it.
        """
        negotiation = await self.get(counter_party_id, negotiation_id)
        self._check_agreement(negotiation, agreement)
        known = await self._negotiations.find_agreement(agreement.id)
        if known is not None and known.negotiation_id != negotiation.id:
            raise InvalidInputError(
                field="agreement.@id",
                value=agreement.id,
                problem="is the id of another agreement",
                remedy="Use a new one.",
            )
        payload = {
            "agreementId": agreement.id,
            "timestamp": agreement.timestamp.isoformat(),
        }
        await self._note(negotiation, _E.AGREE, payload, message_id)

    async def on_event(
        self,
        counter_party_id: str,
        negotiation_id: str,
        event: NegotiationEvent,
        *,
        message_id: str,
        payload: Mapping[str, Any],
    ) -> None:
        """The counterparty verified, finalised or terminated.

        Raises:
            NotFoundError: there is no such negotiation of this counterparty.
            InvalidTransitionError: the state does not allow it.
        """
        negotiation = await self.get(counter_party_id, negotiation_id)
        await self._note(negotiation, event, payload, message_id)

    async def _note(
        self, negotiation: ContractNegotiation, event: NegotiationEvent, payload: Mapping[str, Any], message_id: str
    ) -> None:
        if _SENT_BY.get(event) is negotiation.type:
            raise InvalidTransitionError(entity_id=negotiation.id, state=negotiation.state.name, event=event.value)
        if negotiation.state in _ALREADY_SO[event]:
            return

        def accept(current: ContractNegotiation, pending: Sequence[InboxMessage]) -> None:
            waiting = [NegotiationEvent(m.kind) for m in pending]
            if not negotiation_will_accept(current, waiting, event):
                raise InvalidTransitionError(entity_id=current.id, state=current.state.name, event=event.value)

        note = InboxMessage(
            id=f"dsp-{event.value}-{message_id or uuid4()}",
            kind=event.value,
            payload=payload,
            received_at=self._clock.now(),
        )
        await self._negotiations.append(negotiation.id, note, accept)

    async def _check_offer(self, caller: Participant, request: IncomingContractRequest) -> None:
        offer = await self._catalog.find_offer(caller, OfferId.parse(request.offer_id))
        if offer is None:
            raise NotFoundError(kind="Offer", object_id=request.offer_id)
        if request.target and request.target != offer.asset.id:
            raise InvalidInputError(field="offer.target", value=request.target, problem="is not the offered dataset")
        if request.policy.rules() != offer.policy.rules():
            raise InvalidInputError(
                field="offer",
                value=request.policy.rules(),
                problem="has other rules than the offer in the catalog",
                remedy="Send the offer as it stands in the catalog.",
            )

    def _check_agreement(self, negotiation: ContractNegotiation, agreement: IncomingAgreement) -> None:
        expected = {
            "agreement.target": (agreement.target, negotiation.asset_id),
            "agreement.assigner": (agreement.assigner, negotiation.counter_party_id),
            "agreement.assignee": (agreement.assignee, self._participant_id),
            "agreement": (agreement.policy.rules(), negotiation.policy.rules()),
        }
        for field, (got, wanted) in expected.items():
            if got != wanted:
                raise InvalidInputError(field=field, value=got, problem="is not what was requested")
