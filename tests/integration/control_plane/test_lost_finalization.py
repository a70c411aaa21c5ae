"""The consumer is finalised, its answer is lost, and a gateway before it refuses the repetition: both are bound."""

from dataclasses import dataclass, field
from pathlib import Path

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from control_plane.domain.contract_definition import OfferId
from control_plane.domain.contract_negotiation import NegotiationState
from tests.integration.control_plane.participants import (
    CONSUMER,
    PROVIDER,
    Participant,
    acknowledged,
    negotiate,
    offer,
    reached,
)

OFFER = str(OfferId(definition_id="c-1", asset_id="asset-1"))


@dataclass
class RefusingGateway:
    """Lets the first event through and loses its answer; refuses every later one, and lets all else through.

    `answered`: the statuses that the sender of events was given.
    """

    app: ASGIApp
    answered: list[int] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].endswith("/events"):
            await self.app(scope, receive, send)
            return
        status = 403
        if not self.answered:
            await self.app(scope, receive, _nowhere)
            status = 503
        self.answered.append(status)
        await Response(status_code=status)(scope, receive, send)


async def _nowhere(_message: Message) -> None:
    """Where the lost answer goes."""


async def test_a_finalisation_that_the_consumer_shows_binds_the_provider(tmp_path: Path) -> None:
    gateways: list[RefusingGateway] = []

    def behind(app: ASGIApp) -> ASGIApp:
        gateways.append(RefusingGateway(app))
        return gateways[0]

    consumer = Participant(CONSUMER, tmp_path, knows={PROVIDER: PROVIDER}, behind=behind)
    provider = Participant(PROVIDER, tmp_path, knows={CONSUMER: CONSUMER})
    async with provider.running() as theirs, consumer.running() as ours:
        await offer(theirs)
        await negotiate(ours, provider.address, offer_id=OFFER)
        bound = await reached(ours, NegotiationState.FINALIZED)
        also = await reached(theirs, NegotiationState.FINALIZED, await acknowledged(ours))
    assert bound.agreement is not None
    assert also.agreement is not None
    assert bound.agreement.id == also.agreement.id
    assert gateways[0].answered[:2] == [503, 403]
