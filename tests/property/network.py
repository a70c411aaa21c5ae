"""A network that does nothing by itself: each message waits until the test delivers, loses, repeats or delays it.

A message is a real HTTP request of one participant's DspClient; its delivery is a real call of the other's protocol
application, and the answer is that application's.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import httpx

from control_plane.domain.participant import Counterparty
from control_plane.ports.counterparty_identity import CounterpartyIdentity

Application = Callable[[], httpx.ASGITransport | None]
"""What a participant answers with at the moment; None: it is down."""
_ANSWERED_WITH_A_DEFECT: Final = frozenset({500, 501})


@dataclass(eq=False)
class Flight:
    """One message under way. `answer`: what its sender waits for, if it still does."""

    sender: str
    receiver: str
    method: str
    url: str
    headers: dict[str, str]
    content: bytes
    answer: "asyncio.Future[httpx.Response] | None" = field(repr=False, default=None)

    @property
    def is_awaited(self) -> bool:
        """Whether its sender waits for the answer; else it gave up, went down, or never knew of this copy."""
        return self.answer is not None and not self.answer.done()

    def __str__(self) -> str:
        return f"{self.sender} {self.method} {self.url}"


class Network:
    """Everything that is under way between participants, oldest first."""

    def __init__(self) -> None:
        self.flights: list[Flight] = []
        self.delivered: list[tuple[Flight, int]] = []
        """Every delivery and the status of its answer."""
        self._participants: dict[str, tuple[str, Application, CounterpartyIdentity]] = {}

    def join(self, name: str, host: str, application: Application, identity: CounterpartyIdentity) -> None:
        """Let the participant be reached under a host name. `identity`: signs messages that its clients repeat late."""
        self._participants[host] = (name, application, identity)

    def transport(self, sender: str) -> httpx.AsyncBaseTransport:
        """What the sender's HTTP client sends with."""
        return _Transport(self, sender)

    def send(self, sender: str, request: httpx.Request, content: bytes) -> "asyncio.Future[httpx.Response]":
        """Put a message under way."""
        answer: asyncio.Future[httpx.Response] = asyncio.get_running_loop().create_future()
        receiver, _, _ = self._participants[request.url.host]
        headers = dict(request.headers)
        self.flights.append(Flight(sender, receiver, request.method, str(request.url), headers, content, answer))
        return answer

    async def deliver(self, flight: Flight, *, answer_arrives: bool = True) -> None:
        """The message takes effect; its answer arrives or is lost."""
        self._take(flight)
        response = await self._call(flight)
        if not flight.is_awaited or flight.answer is None:
            return
        if response is None:
            flight.answer.set_exception(httpx.ConnectError("Connection refused."))
        elif answer_arrives:
            flight.answer.set_result(response)
        else:
            flight.answer.set_exception(httpx.ReadTimeout("The answer was lost."))

    def lose(self, flight: Flight) -> None:
        """The message never takes effect, and its sender notices."""
        self._take(flight)
        self._give_up(flight)

    def delay(self, flight: Flight) -> None:
        """The sender gives up; the message is still under way."""
        self._give_up(flight)

    def repeat(self, flight: Flight) -> None:
        """A copy gets under way, which nobody waits for."""
        self.flights.append(
            Flight(flight.sender, flight.receiver, flight.method, flight.url, dict(flight.headers), flight.content)
        )

    async def replay(self, flight: Flight) -> int | None:
        """Deliver the very same bytes again, token included, as an eavesdropper would; the answer's status."""
        response = await self._call(flight, fresh_token=False)
        return None if response is None else response.status_code

    def _take(self, flight: Flight) -> None:
        self.flights.remove(flight)

    def _give_up(self, flight: Flight) -> None:
        if flight.is_awaited and flight.answer is not None:
            flight.answer.set_exception(httpx.ReadTimeout("No answer."))

    async def _call(self, flight: Flight, *, fresh_token: bool = True) -> httpx.Response | None:
        url = httpx.URL(flight.url)
        _, application, _ = self._participants[url.host]
        served = application()
        if served is None:
            return None
        headers = dict(flight.headers)
        if fresh_token and not flight.is_awaited:
            # Whoever repeats a message signs it anew: a token is accepted once, and not for long.
            headers["authorization"] = await self._signature(flight)
        request = httpx.Request(flight.method, url, headers=headers, content=flight.content)
        response = await served.handle_async_request(request)
        content = await response.aread()
        self.delivered.append((flight, response.status_code))
        assert response.status_code not in _ANSWERED_WITH_A_DEFECT, f"{flight}: {response.status_code} {content!r}"
        return httpx.Response(response.status_code, headers=response.headers, content=content)

    async def _signature(self, flight: Flight) -> str:
        identity = next(signs for name, _, signs in self._participants.values() if name == flight.sender)
        return await identity.authorization_for(Counterparty(id=flight.receiver, address=flight.url))


class _Transport(httpx.AsyncBaseTransport):
    def __init__(self, network: Network, sender: str) -> None:
        self._network = network
        self._sender = sender

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._network.send(self._sender, request, await request.aread())
        response = await answer
        response.request = request
        return response
