"""Two control planes come to an agreement over real HTTP, whatever one of them goes through meanwhile."""

from pathlib import Path

import pytest

from connector_spi.errors import ForbiddenAddressError, PeerRefusedError, PeerUnavailableError
from control_plane.bootstrap import ControlPlane
from control_plane.domain.contract_definition import OfferId
from control_plane.domain.contract_negotiation import NegotiationState
from control_plane.domain.participant import Counterparty
from control_plane.domain.query import QuerySpec
from control_plane.settings import DataPlaneEndpointSettings
from tests.control_plane_entities import USE
from tests.eventually import eventually
from tests.integration.control_plane.participants import (
    CONSUMER,
    PROVIDER,
    Participant,
    acknowledged,
    negotiate,
    offer,
    offered,
    reached,
)

S = NegotiationState
OFFER = str(OfferId(definition_id="c-1", asset_id="asset-1"))


@pytest.fixture
def provider(tmp_path: Path) -> Participant:
    # Named for what it could do; nothing is transferred here.
    plane = DataPlaneEndpointSettings(id="plane", url="http://127.0.0.1:9")
    return Participant(PROVIDER, tmp_path, knows={CONSUMER: CONSUMER}, data_planes=(plane,))


@pytest.fixture
def consumer(tmp_path: Path) -> Participant:
    return Participant(CONSUMER, tmp_path, knows={PROVIDER: PROVIDER})


async def agreements(plane: ControlPlane) -> list[tuple[str, str, str, str]]:
    found = await plane.negotiations.query_agreements(QuerySpec())
    return [(a.id, a.provider_id, a.consumer_id, a.asset_id) for a in found]


async def test_from_the_catalog_to_the_same_agreement_on_both_sides(
    provider: Participant, consumer: Participant
) -> None:
    async with provider.running() as theirs, consumer.running() as ours:
        await offer(theirs)
        dataset = await offered(ours, provider.address)
        assert (dataset["@id"], dataset["hasPolicy"][0]["@id"]) == ("asset-1", OFFER)
        one = await ours.catalog.request_dataset(Counterparty(id=PROVIDER, address=provider.address), "asset-1")
        assert one["hasPolicy"] == dataset["hasPolicy"]

        await negotiate(ours, provider.address, offer_id=OFFER)
        negotiation = await reached(ours, S.FINALIZED)
        assert negotiation.agreement is not None
        assert negotiation.correlation_id is not None
        await reached(theirs, S.FINALIZED, negotiation.correlation_id)
        expected = [(negotiation.agreement.id, PROVIDER, CONSUMER, "asset-1")]
        assert await agreements(ours) == await agreements(theirs) == expected
        copies = [await plane.negotiations.get_agreement(negotiation.agreement.id) for plane in (ours, theirs)]
        assert {copy.signed_at for copy in copies} == {negotiation.agreement.signed_at}
        assert all(copy.policy == USE for copy in copies)


async def test_a_provider_that_is_restarted_in_the_middle_loses_nothing(
    provider: Participant, consumer: Participant
) -> None:
    async with provider.running() as theirs:
        await offer(theirs)
        async with consumer.running() as ours:
            await negotiate(ours, provider.address, offer_id=OFFER)
            pid = await acknowledged(ours)
    # Wherever it stood: both are down now. The consumer comes back first and finds nobody.
    async with consumer.running() as ours, provider.running() as theirs:
        agreement = (await reached(ours, S.FINALIZED)).agreement
        assert agreement is not None
        await reached(theirs, S.FINALIZED, pid)
        assert await agreements(theirs) == await agreements(ours)


async def test_a_provider_that_is_down_at_first_is_asked_again(provider: Participant, consumer: Participant) -> None:
    async with provider.running() as theirs:
        await offer(theirs)
    async with consumer.running() as ours:
        await negotiate(ours, provider.address, offer_id=OFFER)

        async def has_failed_twice() -> bool:
            return (await ours.negotiations.get("n-1")).attempt >= 2

        await eventually(has_failed_twice)
        with pytest.raises(PeerUnavailableError):
            await offered(ours, provider.address)
        async with provider.running():
            await reached(ours, S.FINALIZED)


async def test_several_negotiations_at_once_do_not_get_in_each_others_way(
    provider: Participant, consumer: Participant
) -> None:
    names = [f"n-{number}" for number in range(8)]
    async with provider.running() as theirs, consumer.running() as ours:
        await offer(theirs)
        for name in names:
            await negotiate(ours, provider.address, offer_id=OFFER, name=name)
        for name in names:
            await reached(ours, S.FINALIZED, name)
        assert len(await agreements(ours)) == 8


async def test_a_counterparty_that_signs_with_another_key_is_refused_and_the_client_sees_why(
    provider: Participant, tmp_path: Path
) -> None:
    impostor = Participant(CONSUMER, tmp_path, knows={PROVIDER: PROVIDER}, signs_as="somebody else")
    async with provider.running() as theirs, impostor.running() as ours:
        await offer(theirs)
        with pytest.raises(PeerRefusedError, match="401"):
            await offered(ours, provider.address)
        await negotiate(ours, provider.address, offer_id=OFFER)
        negotiation = await reached(ours, S.TERMINATED)
        assert "answered 401" in (negotiation.error_detail or "")
        assert await theirs.negotiations.query(QuerySpec()) == []


async def test_a_provider_whose_messages_are_not_believed_ends_the_negotiation(
    consumer: Participant, tmp_path: Path
) -> None:
    """The consumer knows another key of the provider: the request is taken, the agreement refused."""
    provider = Participant(PROVIDER, tmp_path, knows={CONSUMER: CONSUMER}, signs_as="somebody else")
    async with provider.running() as theirs, consumer.running() as ours:
        await offer(theirs)
        await negotiate(ours, provider.address, offer_id=OFFER)
        pid = await acknowledged(ours)
        ended = await reached(theirs, S.TERMINATED, pid)
        assert "answered 401" in (ended.error_detail or "")
        assert await agreements(theirs) == await agreements(ours) == []


async def test_an_offer_that_is_not_made_ends_the_negotiation_with_the_providers_reason(
    provider: Participant, consumer: Participant
) -> None:
    async with provider.running(), consumer.running() as ours:
        await negotiate(ours, provider.address, offer_id=OFFER)
        negotiation = await reached(ours, S.TERMINATED)
        assert "404" in (negotiation.error_detail or "")
        assert "does not exist" in (negotiation.error_detail or "")


async def test_an_address_that_may_not_be_called_is_not_called(consumer: Participant) -> None:
    async with consumer.running() as ours:
        with pytest.raises(ForbiddenAddressError):
            await offered(ours, "http://169.254.169.254/latest")
        await negotiate(ours, "http://10.0.0.1/2025-1", offer_id=OFFER)
        negotiation = await reached(ours, S.TERMINATED)
        assert "10.0.0.1" in (negotiation.error_detail or "")


async def test_a_client_ends_a_negotiation_and_the_provider_hears_of_it(
    provider: Participant, consumer: Participant
) -> None:
    """The provider cannot be believed here, so the negotiation waits for its agreement until the client gives up."""
    consumer.knows = {PROVIDER: "nobody has this key"}
    async with provider.running() as theirs, consumer.running() as ours:
        await offer(theirs)
        await negotiate(ours, provider.address, offer_id=OFFER)
        await acknowledged(ours)
        await ours.negotiations.terminate("n-1", "No longer needed.")
        ended = await reached(ours, S.TERMINATED)
        assert ended.error_detail == "No longer needed."
        assert await theirs.ready() == {"database": True, "vault": True}
