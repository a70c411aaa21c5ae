"""What clients ask of negotiations and agreements; and the agreements that were reached."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from connector_spi.clock import Clock
from connector_spi.errors import ConflictError, InvalidTransitionError, NotFoundError
from control_plane.domain.contract_agreement import ContractAgreement
from control_plane.domain.contract_negotiation import (
    ContractNegotiation,
    NegotiationEvent,
    NegotiationState,
    NegotiationType,
    negotiation_will_accept,
)
from control_plane.domain.inbox import InboxMessage
from control_plane.domain.policy import Policy
from control_plane.domain.query import QuerySpec
from control_plane.ports.stores import ContractNegotiationStore


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractRequest:
    """What a client asks for: an offer as it stands in the provider's catalog."""

    id: str = ""
    counter_party_id: str
    counter_party_address: str
    protocol: str
    offer_id: str
    asset_id: str
    policy: Policy

    def fingerprint(self) -> str:
        """A digest that is equal for equal requests."""
        facts = [self.counter_party_id, self.counter_party_address, self.offer_id, self.asset_id, self.policy.rules()]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


class NegotiationService:
    """Commands and questions of clients about negotiations and agreements."""

    def __init__(self, *, participant_id: str, negotiations: ContractNegotiationStore, clock: Clock) -> None:
        self._participant_id = participant_id
        self._negotiations = negotiations
        self._clock = clock

    async def initiate(self, request: ContractRequest) -> ContractNegotiation:
        """Begin a negotiation as the consumer. The same request under the same id again returns the same one.

        Raises:
            ConflictError: the id belongs to another request.
        """
        now = self._clock.now()
        negotiation = ContractNegotiation(
            id=request.id or str(uuid4()),
            participant_id=self._participant_id,
            type=NegotiationType.CONSUMER,
            state_timestamp=now,
            created_at=now,
            updated_at=now,
            counter_party_id=request.counter_party_id,
            counter_party_address=request.counter_party_address,
            protocol=request.protocol,
            offer_id=request.offer_id,
            asset_id=request.asset_id,
            policy=request.policy,
            request_fingerprint=request.fingerprint(),
        )
        try:
            await self._negotiations.create(negotiation, due_at=now)
        except ConflictError:
            found = await self.get(negotiation.id)
            if found.request_fingerprint != negotiation.request_fingerprint:
                raise
            return found
        return negotiation

    async def get(self, negotiation_id: str) -> ContractNegotiation:
        """The negotiation.

        Raises:
            NotFoundError: there is none.
        """
        negotiation = await self._negotiations.find(negotiation_id)
        if negotiation is None:
            raise NotFoundError(kind="ContractNegotiation", object_id=negotiation_id)
        return negotiation

    async def query(self, query: QuerySpec) -> list[ContractNegotiation]:
        """One page of negotiations."""
        return await self._negotiations.query(query)

    async def agreement_of(self, negotiation_id: str) -> ContractAgreement:
        """The agreement that the negotiation reached.

        Raises:
            NotFoundError: there is no such negotiation, or it has reached none (yet).
        """
        negotiation = await self.get(negotiation_id)
        if negotiation.agreement is None or negotiation.state is not NegotiationState.FINALIZED:
            raise NotFoundError(kind="ContractAgreement of negotiation", object_id=negotiation_id)
        return negotiation.agreement

    async def get_agreement(self, agreement_id: str) -> ContractAgreement:
        """The agreement.

        Raises:
            NotFoundError: there is none.
        """
        agreement = await self._negotiations.find_agreement(agreement_id)
        if agreement is None:
            raise NotFoundError(kind="ContractAgreement", object_id=agreement_id)
        return agreement

    async def query_agreements(self, query: QuerySpec) -> list[ContractAgreement]:
        """One page of agreements."""
        return await self._negotiations.query_agreements(query)

    async def terminate(self, negotiation_id: str, reason: str) -> None:
        """End the negotiation; the counterparty is told the reason.

        Raises:
            NotFoundError: there is no such negotiation.
            ConflictError: it has ended.
        """
        event = NegotiationEvent.TERMINATE

        def accept(negotiation: ContractNegotiation, pending: Sequence[InboxMessage]) -> None:
            if not negotiation_will_accept(negotiation, [NegotiationEvent(m.kind) for m in pending], event):
                raise InvalidTransitionError(entity_id=negotiation.id, state=negotiation.state.name, event=event.value)

        payload: Mapping[str, Any] = {"message": reason[:2048] or "The client ended the negotiation."}
        message = InboxMessage(
            id=f"command-{uuid4()}", kind=event.value, payload=payload, received_at=self._clock.now()
        )
        await self._negotiations.append(negotiation_id, message, accept)
