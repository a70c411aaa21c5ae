"""Serves several applications in one event loop, and stops them together.

Uvicorn wants to handle signals and lifespans for one application in one process. Here the program does both: one
place hears SIGTERM and SIGINT, and whoever composes enters the lifespans, so that a failing loop ends the process.
"""

import asyncio
import logging
import signal
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from connector_spi.errors import ConfigurationError

logger = logging.getLogger(__name__)

REQUEST_SECONDS: Final = 10
"""How long requests under way may take once a stop was asked for."""
STOP_SECONDS: Final = 30.0
"""How long everything may take to stop; then what still runs is cut off."""
_BACKLOG: Final = 256
_KEEP_ALIVE_SECONDS: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """An application, and the bound socket that it is served on."""

    name: str
    app: ASGIApp
    socket: socket.socket


def bound_socket(host: str, port: int, *, setting: str) -> socket.socket:
    """A TCP socket on this address; `setting` is the table that names it.

    Raises:
        ConfigurationError: the address is not one of this machine, or is in use.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind)
    except OSError as error:
        raise ConfigurationError(key=f"{setting}.host", problem=f"{host} cannot be resolved") from error
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(address)
    except OSError as error:
        bound.close()
        raise ConfigurationError(
            key=f"{setting}.port",
            problem=f"cannot listen on {host}:{port} ({error.strerror})",
            remedy="Stop the program that listens there, or choose another port.",
        ) from error
    return bound


@contextmanager
def private_socket() -> Iterator[tuple[Path, socket.socket]]:
    """A Unix socket in a folder that only this user may enter; both are gone at the end."""
    with TemporaryDirectory(prefix="connector-") as folder:
        path = Path(folder) / "data-plane.sock"
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as bound:
            bound.bind(str(path))
            yield path, bound


async def serve(listeners: Sequence[Listener], stop: asyncio.Event) -> None:
    """Serve until `stop` is set, then let requests under way end.

    One listener that fails ends the others. The applications' lifespans are the caller's.
    """
    servers = [_Server(_configuration(listener.app)) for listener in listeners]
    async with asyncio.TaskGroup() as group:
        for server, listener in zip(servers, listeners, strict=True):
            listener.socket.listen(_BACKLOG)  # connections wait here until the server takes them
            group.create_task(server.serve(sockets=[listener.socket]))
            logger.info("listening", extra={"listener": listener.name, "address": _shown(listener.socket)})
        await stop.wait()
        logger.info("stopping")
        for server in servers:
            server.should_exit = True


@asynccontextmanager
async def stop_on_signal() -> AsyncIterator[asyncio.Event]:
    """The event that the first SIGTERM or SIGINT sets.

    Raises:
        CancelledError: the task was cut off, by a second signal or because it took longer than STOP_SECONDS to end.
    """
    loop, task, stop = asyncio.get_running_loop(), asyncio.current_task(), asyncio.Event()
    timers: list[asyncio.TimerHandle] = []

    def cut_off() -> None:
        if task is not None:
            task.cancel()

    def on_signal() -> None:
        if stop.is_set():
            cut_off()
            return
        stop.set()
        timers.append(loop.call_later(STOP_SECONDS, cut_off))

    handled = (signal.SIGTERM, signal.SIGINT)
    for each in handled:
        loop.add_signal_handler(each, on_signal)
    try:
        yield stop
    finally:
        for timer in timers:
            timer.cancel()
        for each in handled:
            loop.remove_signal_handler(each)


class _Server(uvicorn.Server):
    """Uvicorn without its own signal handlers."""

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        """Nothing is captured: `stop_on_signal` does it for all servers."""
        return nullcontext()


def _configuration(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=REQUEST_SECONDS,
        backlog=_BACKLOG,
    )


def _shown(bound: socket.socket) -> str:
    name = bound.getsockname()
    return f"{name[0]}:{name[1]}" if isinstance(name, tuple) else str(name)
