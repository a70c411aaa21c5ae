"""Wires what both sides of a negotiation do by themselves."""

from control_plane.bootstrap.parts import Parts
from control_plane.services.catalog_service import CatalogService
from control_plane.services.negotiation_acts import Acts
from control_plane.services.negotiation_consumer_acts import ConsumerNegotiationActs
from control_plane.services.negotiation_decisions import NegotiationDecisions
from control_plane.services.negotiation_provider_acts import ProviderNegotiationActs


def negotiation_acts(parts: Parts) -> Acts:
    """The acts of both sides."""
    catalog = CatalogService(parts.stores, parts.client, parts.policies, parts.clock)
    decisions = NegotiationDecisions(stores=parts.stores, catalog=catalog, policies=parts.policies, clock=parts.clock)
    consumer = ConsumerNegotiationActs(client=parts.client, clock=parts.clock)
    provider = ProviderNegotiationActs(client=parts.client, decisions=decisions, clock=parts.clock)
    return {**consumer.acts(), **provider.acts()}
