"""What this side does by itself with the terms on the table, where no guard holds a negotiation."""

from connector_spi.clock import Clock
from connector_spi.errors import InvalidInputError, PermanentError
from control_plane.domain.contract_definition import OfferId
from control_plane.domain.contract_negotiation import ContractNegotiation, NegotiationState
from control_plane.domain.contract_terms import same_terms
from control_plane.domain.participant import Participant
from control_plane.domain.policy import Policy
from control_plane.domain.policy_context import PolicyContext, PolicyScope
from control_plane.domain.policy_denial import PolicyDeniedError
from control_plane.ports.stores import Stores
from control_plane.services.catalog_service import CatalogService
from control_plane.services.policy_engine import PolicyEngine


class OfferWithdrawnError(PermanentError):
    """What is negotiated about is not offered any more, or not to this counterparty."""

    code = "OfferWithdrawn"
    cause = "what is negotiated about is not offered any more, or not to this counterparty"
    remedy = (
        "Ask for the catalog again (`connector catalog`) and negotiate what it offers now. Provider: look at the "
        "contract definitions and their policies."
    )


def consumer_accepts(negotiation: ContractNegotiation) -> bool:
    """Whether the offer holds what this consumer asked for, and nothing else; somebody else's wish is no consent."""
    own = negotiation.own_policy
    return own is not None and same_terms(negotiation.policy, own)


class NegotiationDecisions:
    """Decides for the provider."""

    def __init__(self, *, stores: Stores, catalog: CatalogService, policies: PolicyEngine, clock: Clock) -> None:
        self._stores = stores
        self._catalog = catalog
        self._policies = policies
        self._clock = clock

    async def counter_offer(self, negotiation: ContractNegotiation) -> Policy | None:
        """The terms that this provider answers with; None: it agrees to those on the table.

        Raises:
            OfferWithdrawnError: there is nothing (any more) that it could offer, or that was accepted in time.
            PolicyDeniedError: its terms do not permit this counterparty the use.
            TransientError: a fact could not be read now; ask again.
        """
        consumer = Participant(id=negotiation.counter_party_id, claims=negotiation.counter_party_claims)
        offered = await self._offered(negotiation, consumer)
        if offered is None:
            raise OfferWithdrawnError(f"The asset {negotiation.asset_id!r} is not offered (any more).")
        await self._check_permitted(negotiation, consumer, offered)
        if same_terms(negotiation.policy, offered):
            return None
        if negotiation.state is NegotiationState.ACCEPTED:
            # There is no way back to an offer from here.
            raise OfferWithdrawnError("The offer has changed since it was made.")
        return offered

    async def _offered(self, negotiation: ContractNegotiation, consumer: Participant) -> Policy | None:
        """The terms under which this consumer may have the asset now."""
        try:
            offer_id = OfferId.parse(negotiation.offer_id)
        except InvalidInputError:
            # Offered by this provider's own people, for this negotiation alone.
            asset = await self._stores.assets.find(negotiation.asset_id)
            return negotiation.own_policy if asset is not None else None
        offer = await self._catalog.find_offer(consumer, offer_id)
        return offer.policy if offer is not None else None

    async def _check_permitted(self, negotiation: ContractNegotiation, consumer: Participant, offered: Policy) -> None:
        context = PolicyContext(
            scope=PolicyScope.NEGOTIATION,
            counterparty=consumer,
            now=self._clock.now(),
            asset_id=negotiation.asset_id,
        )
        denial = await self._policies.denial(offered, context)
        if denial is not None:
            raise PolicyDeniedError(denial)
