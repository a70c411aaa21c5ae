"""A counterparty answers 401: another proof is tried once, where there may be another one."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

import pytest

from connector_spi.errors import PeerRefusedError
from connector_spi.outbound_addresses import OutboundAddressPolicy
from control_plane.adapters.dsp_client import DspClient
from control_plane.domain.participant import Counterparty, Participant
from outbound_http.guarded_client import guarded_client
from tests.loopback_server import answering, loopback_server

OPEN: Final = OutboundAddressPolicy(allowed_networks=("127.0.0.0/8",), allow_http=True)


@dataclass
class Numbered:
    """An identity that gives out `token-1`, and the next one once that was refused."""

    renews: bool = True
    number: int = 1
    refusals: list[str] = field(default_factory=list)

    async def authorization_for(self, counterparty: Counterparty) -> str:
        return f"Bearer token-{self.number}"

    def refused(self, counterparty: Counterparty, authorization: str) -> bool:
        self.refusals.append(authorization)
        self.number += 1
        return self.renews

    async def authenticate(self, authorization: str | None) -> Participant:
        raise NotImplementedError


@dataclass
class Receiver:
    """Takes one token alone; `sent`: how many requests came."""

    accepted: str
    sent: int = 0

    async def respond(self, writer: asyncio.StreamWriter) -> None:
        self.sent += 1
        good = f"token-{self.sent}" == self.accepted
        await answering(b'{"dataset": []}', status="200 OK" if good else "401 Unauthorized")(writer)


async def asked(identity: Numbered, receiver: Receiver) -> None:
    """Ask for a dataset, which any message stands for."""
    async with loopback_server(receiver.respond) as server, guarded_client(OPEN, call_seconds=5) as http:
        client = DspClient(http=http, identity=identity, callback_address="https://us.example", call_seconds=5)
        await client.request_dataset(Counterparty(id="them", address=server.address), "d")


async def test_the_next_token_is_tried_at_once() -> None:
    identity, receiver = Numbered(), Receiver("token-2")
    await asked(identity, receiver)
    assert (identity.refusals, receiver.sent) == (["Bearer token-1"], 2)


async def test_a_second_refusal_is_final() -> None:
    identity, receiver = Numbered(), Receiver("token-3")
    with pytest.raises(PeerRefusedError, match="401"):
        await asked(identity, receiver)
    assert receiver.sent == 2


async def test_where_no_other_token_would_help_none_is_tried() -> None:
    receiver = Receiver("token-2")
    with pytest.raises(PeerRefusedError, match="401"):
        await asked(Numbered(renews=False), receiver)
    assert receiver.sent == 1
