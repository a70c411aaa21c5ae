"""Serves an application on a loopback address, or on a Unix socket, in the test's own loop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from socket import AF_UNIX, SO_REUSEADDR, SOL_SOCKET, socket

from starlette.types import ASGIApp

from connector_cli.serving import Listener, serve


def loopback_socket(port: int = 0) -> socket:
    """A bound TCP socket; port 0: any free one."""
    bound = socket()
    bound.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return bound


def unix_socket(path: Path) -> socket:
    """A bound Unix socket."""
    bound = socket(AF_UNIX)
    bound.bind(str(path))
    return bound


@asynccontextmanager
async def serving(app: ASGIApp, bound: socket) -> AsyncIterator[None]:
    """The application answers on the socket as long as this is open; the socket is closed in the end."""
    stop = asyncio.Event()
    with closing(bound):
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(serve([Listener(name="test", app=app, socket=bound)], stop))
            # The server begins to answer a moment later; until then connections wait in the socket's backlog.
            await asyncio.sleep(0)
            try:
                yield
            finally:
                stop.set()
