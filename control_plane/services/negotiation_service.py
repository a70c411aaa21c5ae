"""What clients ask of negotiations and agreements; and the agreements that were reached."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

from connector_spi.clock import Clock
from connector_spi.errors import ConflictError, InvalidInputError, InvalidTransitionError, NotFoundError
from control_plane.domain.contract_agreement import ContractAgreement
from control_plane.domain.contract_definition import OfferId
from control_plane.domain.contract_negotiation import (
    ContractNegotiation,
    NegotiationEvent,
    NegotiationState,
    NegotiationType,
)
from control_plane.domain.contract_terms import same_terms
from control_plane.domain.inbox import InboxMessage
from control_plane.domain.policy import Policy
from control_plane.domain.query import QuerySpec
from control_plane.ports.stores import Stores
from control_plane.services.negotiation_inbox import accepting, agreement_noted, terms_noted, to_the_millisecond
from control_plane.services.policy_engine import PolicyEngine

_E = NegotiationEvent
_CONSUMER, _PROVIDER = NegotiationType.CONSUMER, NegotiationType.PROVIDER
_REASON_MAX: Final = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractRequest:
    """What a client asks for: an offer of the provider's catalog, as it stands there or under other terms."""

    id: str = ""
    counter_party_id: str
    counter_party_address: str
    protocol: str
    offer_id: str
    asset_id: str
    policy: Policy

    def fingerprint(self) -> str:
        """A digest that is equal for equal requests."""
        return _digest(
            self.counter_party_id, self.counter_party_address, self.offer_id, self.asset_id, self.policy.rules()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractOfferCommand:
    """What a client offers to a consumer that did not ask.

    `offer_id`: an offer of the catalog, whose terms `policy` then has to be; empty: an offer for this consumer alone.
    """

    id: str = ""
    counter_party_id: str
    counter_party_address: str
    protocol: str
    offer_id: str = ""
    asset_id: str
    policy: Policy

    def fingerprint(self) -> str:
        """A digest that is equal for equal commands, and never that of a request."""
        return _digest(
            "offer",
            self.counter_party_id,
            self.counter_party_address,
            self.offer_id,
            self.asset_id,
            self.policy.rules(),
        )


class NegotiationService:
    """Commands and questions of clients about negotiations and agreements.

    A command is noted, and carried out by the manager. It is refused with InvalidTransitionError where it is not
    possible now, nor after what is under way and waiting; and where it is the other side's.
    """

    def __init__(self, *, participant_id: str, stores: Stores, policies: PolicyEngine, clock: Clock) -> None:
        self._participant_id = participant_id
        self._stores = stores
        self._negotiations = stores.contract_negotiations
        self._policies = policies
        self._clock = clock

    async def initiate(self, request: ContractRequest) -> ContractNegotiation:
        """Begin a negotiation as the consumer. The same request under the same id again returns the same one.

        Raises:
            ConflictError: the id belongs to another request.
        """
        return await self._begun(_CONSUMER, request, request.offer_id)

    async def offer_to(self, command: ContractOfferCommand) -> ContractNegotiation:
        """Begin a negotiation as the provider. The same command under the same id again returns the same one.

        Raises:
            NotFoundError: the asset does not exist, or the offer that is named is not made.
            InvalidInputError: the terms are not those of the offer that is named, or cannot be evaluated.
            ConflictError: the id belongs to another negotiation.
        """
        if await self._stores.assets.find(command.asset_id) is None:
            raise NotFoundError(kind="Asset", object_id=command.asset_id)
        self._policies.check_understood(command.policy)
        if command.offer_id:
            await self._check_offer(command)
        return await self._begun(_PROVIDER, command, command.offer_id or _own_offer_id())

    async def request(self, negotiation_id: str, policy: Policy) -> None:
        """Answer the provider's offer by a request for these terms.

        Raises:
            NotFoundError: there is no such negotiation.
            InvalidTransitionError: there is no offer to answer.
        """
        await self._command(negotiation_id, _E.REQUEST, by=_CONSUMER, payload=terms_noted(policy))

    async def offer(self, negotiation_id: str, policy: Policy) -> None:
        """Answer the consumer's request by an offer of these terms.

        Raises:
            NotFoundError: there is no such negotiation.
            InvalidInputError: the terms cannot be evaluated.
            InvalidTransitionError: there is no request to answer.
        """
        self._policies.check_understood(policy)
        offer_id = (await self.get(negotiation_id)).offer_id
        if not await self._is_catalogs(offer_id, policy):
            offer_id = _own_offer_id()
        await self._command(negotiation_id, _E.OFFER, by=_PROVIDER, payload=terms_noted(policy, offer_id))

    async def accept(self, negotiation_id: str) -> None:
        """Accept the provider's offer.

        Raises:
            NotFoundError: there is no such negotiation.
            InvalidTransitionError: there is no offer to accept.
        """
        await self._command(negotiation_id, _E.ACCEPT, by=_CONSUMER)

    async def agree(self, negotiation_id: str) -> None:
        """Agree to what the consumer asked for or accepted.

        Raises:
            NotFoundError: there is no such negotiation.
            InvalidTransitionError: there is nothing to agree to.
        """
        payload = agreement_noted(str(uuid4()), to_the_millisecond(self._clock.now()))
        await self._command(negotiation_id, _E.AGREE, by=_PROVIDER, payload=payload)

    async def verify(self, negotiation_id: str) -> None:
        """Confirm the agreement as the consumer.

        Raises:
            NotFoundError: there is no such negotiation.
            InvalidTransitionError: there is no agreement to verify.
        """
        await self._command(negotiation_id, _E.VERIFY, by=_CONSUMER)

    async def finalize(self, negotiation_id: str) -> None:
        """Put the agreement into force as the provider.

        Raises:
            NotFoundError: there is no such negotiation.
            InvalidTransitionError: the consumer has not verified.
        """
        await self._command(negotiation_id, _E.FINALIZE, by=_PROVIDER)

    async def terminate(self, negotiation_id: str, reason: str) -> None:
        """End the negotiation; the counterparty is told the reason.

        Raises:
            NotFoundError: there is no such negotiation.
            InvalidTransitionError: it has ended, or the provider is putting the agreement into force.
        """
        payload = {"code": "Terminated", "message": reason[:_REASON_MAX] or "The client ended the negotiation."}
        await self._command(negotiation_id, _E.TERMINATE, payload=payload)

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

    async def _begun(
        self, side: NegotiationType, command: ContractRequest | ContractOfferCommand, offer_id: str
    ) -> ContractNegotiation:
        now = self._clock.now()
        negotiation = ContractNegotiation(
            id=command.id or str(uuid4()),
            participant_id=self._participant_id,
            type=side,
            state_timestamp=now,
            created_at=now,
            updated_at=now,
            counter_party_id=command.counter_party_id,
            counter_party_address=command.counter_party_address,
            protocol=command.protocol,
            offer_id=offer_id,
            asset_id=command.asset_id,
            policy=command.policy,
            own_policy=command.policy,
            request_fingerprint=command.fingerprint(),
        )
        try:
            await self._negotiations.create(negotiation, due_at=now)
        except ConflictError:
            found = await self.get(negotiation.id)
            if found.request_fingerprint != negotiation.request_fingerprint:
                raise
            return found
        return negotiation

    async def _check_offer(self, command: ContractOfferCommand) -> None:
        offer_id = OfferId.parse(command.offer_id)
        if offer_id.asset_id != command.asset_id:
            raise InvalidInputError(
                field="policy.@id",
                value=command.offer_id,
                problem="is an offer of another asset",
                remedy="Leave it out.",
            )
        if not await self._is_catalogs(command.offer_id, command.policy):
            raise InvalidInputError(
                field="policy",
                value=command.policy.rules(),
                problem="is not the policy of the offer that it names",
                remedy="Leave out @id to offer terms of your own.",
            )

    async def _is_catalogs(self, offer_id: str, policy: Policy) -> bool:
        """Whether these are the terms of the catalog's offer with this id."""
        try:
            definition = await self._stores.contract_definitions.find(OfferId.parse(offer_id).definition_id)
        except InvalidInputError:
            return False
        contract = await self._stores.policy_definitions.find(definition.contract_policy_id) if definition else None
        return contract is not None and same_terms(contract.policy, policy)

    async def _command(
        self,
        negotiation_id: str,
        event: NegotiationEvent,
        *,
        by: NegotiationType | None = None,
        payload: Mapping[str, Any] | None = None,
    ) -> None:
        """Note the event, if it is this side's to make; `by`: whose it is, None: either's."""

        def accept(negotiation: ContractNegotiation, pending: Sequence[InboxMessage]) -> None:
            bound = event is _E.TERMINATE and negotiation.state is NegotiationState.FINALIZING
            if by not in (None, negotiation.type) or bound:
                raise InvalidTransitionError(entity_id=negotiation.id, state=negotiation.state.name, event=event.value)
            accepting(event)(negotiation, pending)

        message = InboxMessage(
            id=f"command-{uuid4()}", kind=event.value, payload=payload or {}, received_at=self._clock.now()
        )
        await self._negotiations.append(negotiation_id, message, accept)


def _own_offer_id() -> str:
    """Of an offer that stands in no catalog."""
    return f"urn:uuid:{uuid4()}"


def _digest(*facts: Any) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
