import asyncio
import socket
import stat

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from connector_cli.serving import Listener, bound_socket, private_socket, serve
from connector_spi.errors import ConfigurationError


def saying(text: str, *, started: asyncio.Event | None = None, go_on: asyncio.Event | None = None) -> Starlette:
    """An application that says one thing, after `go_on` where given."""

    async def say(_request: Request) -> PlainTextResponse:
        if started is not None and go_on is not None:
            started.set()
            await go_on.wait()
        return PlainTextResponse(text)

    return Starlette(routes=[Route("/", say)])


def on_loopback() -> tuple[socket.socket, str]:
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    return bound, f"http://127.0.0.1:{bound.getsockname()[1]}/"


async def test_several_applications_are_served_and_stopped_together() -> None:
    stop = asyncio.Event()
    first, first_url = on_loopback()
    with private_socket() as (path, second):
        listeners = [
            Listener(name="first", app=saying("one"), socket=first),
            Listener(name="second", app=saying("two"), socket=second),
        ]
        unix = httpx.AsyncHTTPTransport(uds=str(path))
        async with asyncio.TaskGroup() as group:
            group.create_task(serve(listeners, stop))
            async with httpx.AsyncClient(trust_env=False) as http, httpx.AsyncClient(transport=unix) as local:
                await asyncio.sleep(0)
                assert (await http.get(first_url)).text == "one"
                assert (await local.get("http://data-plane/")).text == "two"
            stop.set()
        async with httpx.AsyncClient(trust_env=False) as http:
            with pytest.raises(httpx.ConnectError):
                await http.get(first_url)


async def test_a_request_under_way_ends_before_the_server_does() -> None:
    stop, started, go_on = asyncio.Event(), asyncio.Event(), asyncio.Event()
    bound, url = on_loopback()
    app = saying("done", started=started, go_on=go_on)
    async with asyncio.TaskGroup() as group, httpx.AsyncClient(trust_env=False) as http:
        serving = group.create_task(serve([Listener(name="slow", app=app, socket=bound)], stop))
        await asyncio.sleep(0)
        answer = group.create_task(http.get(url))
        await started.wait()
        stop.set()
        await asyncio.sleep(0)
        assert not serving.done()
        go_on.set()
        assert (await answer).text == "done"


def test_the_private_socket_is_for_this_user_alone_and_gone_afterwards() -> None:
    with private_socket() as (path, _bound):
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert path.is_socket()
    assert not path.parent.exists()


def test_a_port_in_use_names_the_setting() -> None:
    bound, _ = on_loopback()
    with bound:
        bound.listen()
        with pytest.raises(ConfigurationError, match=r"management\.port: cannot listen on 127\.0\.0\.1") as refused:
            bound_socket("127.0.0.1", bound.getsockname()[1], setting="management")
    assert refused.value.key == "management.port"


@pytest.mark.parametrize(("host", "key"), [("no such host", "management.host"), ("192.0.2.1", "management.port")])
def test_an_address_that_is_not_ours_names_the_setting(host: str, key: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        bound_socket(host, 1, setting="management")
    assert refused.value.key == key
