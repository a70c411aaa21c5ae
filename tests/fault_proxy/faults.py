"""The faults: each is what happens to one exchange in the place of passing it on.

`before`: the request never reaches the service. `after`: it does, and only the answer suffers.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from tests.fault_proxy.exchange import Exchange
from tests.fault_proxy.http_wire import Answer

Fault = Callable[[Exchange], Awaitable[None]]

_ETAG = re.compile(rb"<Etag>[^<]*</Etag>")
_OTHER_ETAG = "0x8D0000000000000"


def named(fault: Fault) -> str:
    """A fault's name, for records and test ids."""
    return getattr(fault, "__qualname__", repr(fault)).partition(".")[0]


async def passed_on(exchange: Exchange) -> None:
    """No fault."""
    await exchange.answered(await exchange.forwarded(await exchange.received()))


def delayed(seconds: float) -> Fault:
    """The request waits before it is passed on."""

    async def fault(exchange: Exchange) -> None:
        body = await exchange.received()
        await asyncio.sleep(seconds)
        await exchange.answered(await exchange.forwarded(body))

    return fault


def request_cut(after_bytes: int) -> Fault:
    """The connection ends, on both sides, in the middle of the request's body."""

    async def fault(exchange: Exchange) -> None:
        await exchange.begun_upstream(await exchange.received(at_most=after_bytes))
        exchange.cut()

    return fault


def answer_cut(after_bytes: int) -> Fault:
    """The connection ends in the middle of the answer's body; of an answer without one, before it."""

    async def fault(exchange: Exchange) -> None:
        answer = await exchange.forwarded(await exchange.received())
        if answer.body:
            await exchange.answered(answer, at_most=min(after_bytes, len(answer.body) - 1))
        exchange.cut()

    return fault


async def reset_before(exchange: Exchange) -> None:
    """TCP reset in the place of passing the request on."""
    await exchange.received(at_most=exchange.request.length // 2)
    exchange.reset()


async def reset_after(exchange: Exchange) -> None:
    """The request has its effect; the client gets a TCP reset for an answer."""
    await exchange.forwarded(await exchange.received())
    exchange.reset()


def refused_before(status: int = 500, *, code: str = "InternalError", retry_after: int | None = None) -> Fault:
    """An answer of the service's kind, without its having got the request."""
    headers = () if retry_after is None else (f"Retry-After: {retry_after}",)

    async def fault(exchange: Exchange) -> None:
        await exchange.received()
        await exchange.answered(Answer.of(status, code=code, headers=headers))

    return fault


def refused_after(status: int = 500, *, code: str = "InternalError") -> Fault:
    """The request has its effect; its answer is replaced."""

    async def fault(exchange: Exchange) -> None:
        await exchange.forwarded(await exchange.received())
        await exchange.answered(Answer.of(status, code=code))

    return fault


def busy(retry_after: int = 1) -> Fault:
    """503 with Retry-After."""
    return refused_before(503, code="ServerBusy", retry_after=retry_after)


async def flipped_request(exchange: Exchange) -> None:
    """One bit of the request's body arrives wrong."""
    body = bytearray(await exchange.received())
    if body:
        body[len(body) // 2] ^= 1
    await exchange.answered(await exchange.forwarded(bytes(body)))


def rewritten(change: Callable[[Answer], Answer]) -> Fault:
    """The answer arrives changed."""

    async def fault(exchange: Exchange) -> None:
        await exchange.answered(change(await exchange.forwarded(await exchange.received())))

    return fault


def _flipped(answer: Answer) -> Answer:
    body = bytearray(answer.body)
    if body:
        body[len(body) // 2] ^= 1
    return replace(answer, body=bytes(body))


flipped_answer = rewritten(_flipped)
"""One bit of the answer's body arrives wrong."""


def _other_etag(answer: Answer) -> Answer:
    body = _ETAG.sub(f"<Etag>{_OTHER_ETAG}</Etag>".encode(), answer.body)
    changed = replace(answer, body=body).having("Content-Length", str(len(body))) if answer.body else answer
    return changed.having("ETag", f'"{_OTHER_ETAG}"')


other_etag = rewritten(_other_etag)
"""The answer, or the listing in it, speaks of another version."""


def _other_checksums(answer: Answer) -> Answer:
    return answer.having("Content-MD5", "A" * 22 + "==").having("x-ms-content-crc64", "A" * 11 + "=")


other_checksums = rewritten(_other_checksums)
"""The service says that other bytes have arrived."""


def wrong_length(more: int) -> Fault:
    """The answer claims so many bytes more (or fewer) than come; then the connection ends."""

    async def fault(exchange: Exchange) -> None:
        answer = await exchange.forwarded(await exchange.received())
        await exchange.answered(answer.having("Content-Length", str(max(0, len(answer.body) + more))))
        exchange.cut()

    return fault


def dripping(bytes_per_second: float) -> Fault:
    """Request and answer pass slowly."""

    async def fault(exchange: Exchange) -> None:
        body = await exchange.received(bytes_per_second=bytes_per_second)
        await exchange.answered(await exchange.forwarded(body), bytes_per_second=bytes_per_second)

    return fault


async def silent_before(exchange: Exchange) -> None:
    """The request goes nowhere, and no answer comes."""
    await exchange.received()
    await exchange.until_closed()


async def silent_after(exchange: Exchange) -> None:
    """The request has its effect, and no answer comes."""
    await exchange.forwarded(await exchange.received())
    await exchange.until_closed()


@dataclass(slots=True)
class Gate:
    """Holds an exchange until the test lets it go."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def arrived(self, *, seconds: float = 15) -> None:
        """Return once an exchange is held; TimeoutError when none comes."""
        async with asyncio.timeout(seconds):
            await self.reached.wait()

    async def passed(self) -> None:
        """Say that the exchange is here, and wait."""
        self.reached.set()
        await self.opened.wait()

    async def before(self, exchange: Exchange) -> None:
        """Hold the request in front of the service."""
        body = await exchange.received()
        await self.passed()
        await exchange.answered(await exchange.forwarded(body))

    async def after(self, exchange: Exchange) -> None:
        """Hold the answer; the request has had its effect."""
        answer = await exchange.forwarded(await exchange.received())
        await self.passed()
        await exchange.answered(answer)
