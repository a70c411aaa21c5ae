"""Access tokens by client credentials: fetched once, shared, renewed early, forgotten when refused."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from connector_spi.errors import ConnectorError, ForbiddenAddressError, PeerRefusedError, PeerUnavailableError
from connector_spi.outbound_addresses import OutboundAddressPolicy
from outbound_http.guarded_client import guarded_client
from outbound_http.oauth2_tokens import ClientCredentials, OAuth2TokenClient
from tests.loopback_server import LoopbackServer, answering, loopback_server

OPEN = OutboundAddressPolicy(allowed_networks=("127.0.0.0/8",), allow_http=True)


@dataclass
class Watch:
    """Seconds that pass when the test says so."""

    seconds: float = 0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Issuer:
    """Gives out `token-1`, `token-2`, ..."""

    members: dict[str, object] = field(default_factory=lambda: {"token_type": "Bearer", "expires_in": 600})
    given: int = 0

    async def respond(self, writer: asyncio.StreamWriter) -> None:
        self.given += 1
        body = {"access_token": f"token-{self.given}", **self.members}
        await answering(json.dumps(body).encode())(writer)


async def secret() -> str:
    return "the secret"


@asynccontextmanager
async def tokens_of(
    server: LoopbackServer, watch: Watch | None = None, policy: OutboundAddressPolicy = OPEN
) -> AsyncIterator[OAuth2TokenClient]:
    wanted = ClientCredentials(token_endpoint=f"{server.address}/token", client_id="us", secret=secret, scope="s")
    async with guarded_client(policy, call_seconds=5) as client:
        yield OAuth2TokenClient(client, wanted, monotonic=watch or Watch())


async def test_callers_at_the_same_time_share_one_request() -> None:
    async with loopback_server(Issuer().respond) as server, tokens_of(server) as tokens:
        assert await asyncio.gather(*(tokens.token() for _ in range(10))) == ["token-1"] * 10
    [request] = server.requests
    assert request.startswith("POST /token ")
    assert request.endswith("grant_type=client_credentials&client_id=us&client_secret=the+secret&scope=s")


async def test_a_token_is_renewed_before_it_ends_and_not_earlier() -> None:
    watch = Watch()
    async with loopback_server(Issuer().respond) as server, tokens_of(server, watch) as tokens:
        await tokens.token()
        watch.seconds = 569
        assert await tokens.token() == "token-1"
        watch.seconds = 571
        assert await tokens.token() == "token-2"


@pytest.mark.parametrize("life", [None, "soon", -1, float("nan")])
async def test_a_token_of_unknown_life_is_used_for_less_than_a_minute(life: object) -> None:
    watch, issuer = Watch(), Issuer({"expires_in": life})
    async with loopback_server(issuer.respond) as server, tokens_of(server, watch) as tokens:
        await tokens.token()
        watch.seconds = 59
        assert await tokens.token() == "token-2"


async def test_a_refused_token_is_given_out_no_more_but_a_newer_one_stays() -> None:
    async with loopback_server(Issuer().respond) as server, tokens_of(server) as tokens:
        first = await tokens.token()
        tokens.invalidate(first)
        second = await tokens.token()
        tokens.invalidate(first)
        assert (second, await tokens.token()) == ("token-2", "token-2")


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        ("401 Unauthorized", b"{}", PeerRefusedError),
        ("400 Bad Request", b"{}", PeerRefusedError),
        ("302 Found", b"{}", PeerRefusedError),
        ("503 Service Unavailable", b"{}", PeerUnavailableError),
        ("429 Too Many Requests", b"{}", PeerUnavailableError),
        ("200 OK", b"no json", PeerUnavailableError),
        ("200 OK", b"[]", PeerUnavailableError),
        ("200 OK", b"{}", PeerUnavailableError),
        ("200 OK", b'{"access_token": "a\\r\\nb"}', PeerUnavailableError),
        ("200 OK", b'{"access_token": "t", "token_type": "mac"}', PeerUnavailableError),
        ("200 OK", b'{"access_token": "' + b"t" * 70_000 + b'"}', PeerUnavailableError),
    ],
)
async def test_an_answer_without_a_token_is_an_error_that_shows_no_secret(
    status: str, body: bytes, error: type[ConnectorError]
) -> None:
    async with loopback_server(answering(body, status=status)) as server, tokens_of(server) as tokens:
        with pytest.raises(error) as raised:
            await tokens.token()
    assert "the secret" not in str(raised.value)


async def test_an_endpoint_that_may_not_be_called_is_not_called() -> None:
    async with loopback_server(Issuer().respond) as server:
        async with tokens_of(server, policy=OutboundAddressPolicy(allow_http=True)) as tokens:
            with pytest.raises(ForbiddenAddressError):
                await tokens.token()
        assert server.connections == 0


async def test_an_endpoint_that_is_away_is_a_passing_trouble() -> None:
    async with loopback_server(Issuer().respond) as server:
        pass
    async with tokens_of(server) as tokens:
        with pytest.raises(PeerUnavailableError):
            await tokens.token()


async def test_callers_that_waited_for_an_endpoint_in_vain_do_not_wait_for_it_once_more() -> None:
    down = answering(b"{}", status="503 Service Unavailable")
    async with loopback_server(down) as server, tokens_of(server) as tokens:
        answers = await asyncio.gather(*(tokens.token() for _ in range(10)), return_exceptions=True)
        assert [type(answer) for answer in answers] == [PeerUnavailableError] * 10
        assert len(server.requests) == 1
        with pytest.raises(PeerUnavailableError):
            await tokens.token()
        assert len(server.requests) == 2, "whoever comes later asks again"


async def test_a_refusal_tells_the_servers_code_and_no_more() -> None:
    bodies = [
        (b'{"error": "invalid_scope", "error_description": "PLANTED"}', "HTTP 400 (invalid_scope); check client id"),
        (b'{"error": "PLANTED PLANTED"}', "HTTP 400; check client id"),
        (b"PLANTED", "HTTP 400; check client id"),
    ]
    for body, said in bodies:
        async with loopback_server(answering(body, status="400 Bad Request")) as server, tokens_of(server) as tokens:
            with pytest.raises(PeerRefusedError) as refused:
                await tokens.token()
        assert said in refused.value.message
        assert "PLANTED" not in refused.value.message
