"""What clients command: an offer unasked, an answer, an end; taken where it is this side's turn and nowhere else."""

from typing import Any

import pytest

from connector_spi.errors import InvalidInputError, InvalidTransitionError, NotFoundError
from control_plane.domain.contract_definition import OfferId
from control_plane.domain.contract_negotiation import (
    NEGOTIATION_MACHINES,
    NegotiationEvent,
    NegotiationState,
    NegotiationType,
)
from control_plane.dsp_messages import PROTOCOL
from control_plane.services.negotiation_inbox import terms_noted
from control_plane.services.negotiation_service import ContractOfferCommand
from tests.control_plane_entities import USE, asset
from tests.unit.control_plane.negotiation_rig import OFFER, NegotiationRig, use_if

S = NegotiationState
E = NegotiationEvent
CONSUMER, PROVIDER = NegotiationType.CONSUMER, NegotiationType.PROVIDER
UNTIL_2030 = use_if("inForceDate", "lt", "2030-01-01T00:00:00Z")


@pytest.fixture
def rig() -> NegotiationRig:
    return NegotiationRig()


def offer_command(**changes: Any) -> ContractOfferCommand:
    facts: dict[str, Any] = {
        "id": "n-1",
        "counter_party_id": "did:web:them",
        "counter_party_address": "https://them.example/dsp",
        "protocol": PROTOCOL,
        "asset_id": "asset-1",
        "policy": UNTIL_2030,
    }
    return ContractOfferCommand(**{**facts, **changes})


async def test_a_provider_offers_unasked_and_agrees_once_it_is_accepted(rig: NegotiationRig) -> None:
    await rig.stores.assets.create(asset())
    await rig.service.offer_to(offer_command())
    assert await rig.run() is S.OFFERED
    now = await rig.now()
    assert (now.correlation_id, now.own_policy) == ("consumer-pid-of-n-1", UNTIL_2030)
    assert now.offer_id.startswith("urn:uuid:")
    assert await rig.told(E.ACCEPT) is S.AGREED
    assert rig.client.calls == ["offer_contract", "send_agreement"]


async def test_a_free_offer_is_repeated_when_other_terms_are_asked_for(rig: NegotiationRig) -> None:
    await rig.stores.assets.create(asset())
    await rig.service.offer_to(offer_command())
    await rig.run()
    offer_id = (await rig.now()).offer_id
    assert await rig.told(E.REQUEST, terms_noted(USE)) is S.OFFERED
    assert ((await rig.now()).policy, (await rig.now()).offer_id) == (UNTIL_2030, offer_id)
    await rig.stores.assets.delete("asset-1")
    assert await rig.told(E.ACCEPT) is S.TERMINATED


async def test_an_offer_of_the_catalog_keeps_its_id(rig: NegotiationRig) -> None:
    await rig.offered(UNTIL_2030)
    await rig.service.offer_to(offer_command(offer_id=OFFER))
    assert await rig.run() is S.OFFERED
    assert (await rig.now()).offer_id == OFFER
    await rig.stores.contract_definitions.delete("c-1")
    assert await rig.told(E.ACCEPT) is S.TERMINATED


@pytest.mark.parametrize(
    ("changes", "error", "named"),
    [
        ({"asset_id": "other"}, NotFoundError, "Asset 'other'"),
        ({"policy": use_if("moonPhase", "eq", "full")}, InvalidInputError, "moonPhase"),
        ({"offer_id": OFFER, "policy": USE}, InvalidInputError, "is not the policy of the offer"),
        ({"offer_id": str(OfferId(definition_id="c-1", asset_id="b"))}, InvalidInputError, "of another asset"),
        ({"offer_id": str(OfferId(definition_id="c-2", asset_id="asset-1"))}, InvalidInputError, "is not the policy"),
        ({"offer_id": "ours"}, InvalidInputError, "is not an offer id"),
    ],
)
async def test_an_offer_that_cannot_be_kept_is_refused(
    rig: NegotiationRig, changes: dict[str, Any], error: type[Exception], named: str
) -> None:
    await rig.offered(UNTIL_2030)
    with pytest.raises(error, match=named):
        await rig.service.offer_to(offer_command(**changes))


async def test_the_same_offer_under_the_same_id_counts_once(rig: NegotiationRig) -> None:
    await rig.stores.assets.create(asset())
    first = await rig.service.offer_to(offer_command())
    assert await rig.service.offer_to(offer_command()) == first
    with pytest.raises(Exception, match="exists already"):
        await rig.service.offer_to(offer_command(policy=USE))


STATES = [
    (side, state)
    for side, machine in NEGOTIATION_MACHINES.items()
    for state in sorted({*(source for source, _ in machine.moves), *machine.moves.values()})
]
"""The states that a side can be in."""
COMMANDS = {
    "request": (CONSUMER, {S.INITIAL, S.OFFERED}),
    "accept": (CONSUMER, {S.OFFERED}),
    "verify": (CONSUMER, {S.AGREED}),
    "offer": (PROVIDER, {S.INITIAL, S.REQUESTED}),
    "agree": (PROVIDER, {S.REQUESTED, S.ACCEPTED}),
    "finalize": (PROVIDER, {S.VERIFIED}),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(("side", "state"), STATES)
async def test_a_command_is_taken_where_it_is_this_sides_turn_and_nowhere_else(
    rig: NegotiationRig, command: str, side: NegotiationType, state: S
) -> None:
    await rig.begin(type=side, state=state)
    terms = (USE,) if command in {"request", "offer"} else ()
    of_side, states = COMMANDS[command]
    if side is of_side and state in states:
        await getattr(rig.service, command)("n-1", *terms)
        with pytest.raises(InvalidTransitionError):
            await getattr(rig.service, command)("n-1", *terms)
    else:
        with pytest.raises(InvalidTransitionError):
            await getattr(rig.service, command)("n-1", *terms)


@pytest.mark.parametrize("command", [*COMMANDS, "terminate"])
async def test_a_command_about_nothing_is_refused(rig: NegotiationRig, command: str) -> None:
    arguments = {"request": (USE,), "offer": (USE,), "terminate": ("why",)}
    with pytest.raises(NotFoundError):
        await getattr(rig.service, command)("n-1", *arguments.get(command, ()))


@pytest.mark.parametrize(("side", "state"), STATES)
async def test_a_client_ends_any_negotiation_that_is_open(rig: NegotiationRig, side: NegotiationType, state: S) -> None:
    await rig.begin(type=side, state=state, correlation_id="pid")
    if state in {S.TERMINATING, S.TERMINATED, S.FINALIZED, S.FINALIZING}:
        with pytest.raises(InvalidTransitionError):
            await rig.service.terminate("n-1", "why")
    else:
        await rig.service.terminate("n-1", "why")
        assert await rig.run() is S.TERMINATED
        assert (await rig.now()).error_detail == "why"
        assert rig.client.reasons == ["why"]
