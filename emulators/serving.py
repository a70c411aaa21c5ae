"""Serves applications on loopback until SIGTERM or SIGINT, and says in one line of JSON where."""

import argparse
import asyncio
import json
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvicorn
from fastapi import FastAPI

_HOST: Final = "127.0.0.1"
_BACKLOG: Final = 256
_STOP_SECONDS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where an application is to be served. Port 0: any free one. With both files: over TLS."""

    port: int = 0
    certificate_file: Path | None = None
    key_file: Path | None = None


def add_address_options(parser: argparse.ArgumentParser) -> None:
    """The options that every emulator has: `--port`, `--certificate`, `--key`."""
    parser.add_argument("--port", type=int, default=0, help="loopback port; 0 (the default) takes a free one")
    parser.add_argument("--certificate", type=Path, help="PEM of the server's certificate: serve https")
    parser.add_argument("--key", type=Path, help="PEM of its private key")


def address_of(options: argparse.Namespace) -> Address:
    """The address that these options ask for."""
    return Address(port=options.port, certificate_file=options.certificate, key_file=options.key)


def serve(applications: Mapping[str, tuple[FastAPI, Address]], told: Mapping[str, str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT. When they listen, print `{name: url, ...}` as one line on standard output.

    `told`: what whoever started it wants to know besides, such as credentials that were made up.
    """
    sockets = {name: _listening(address.port) for name, (_, address) in applications.items()}
    urls = {name: _url(sockets[name], address) for name, (_, address) in applications.items()}
    # Connections wait in the backlog from here on, so the line is true although the servers start a moment later.
    sys.stdout.write(json.dumps({**urls, **(told or {})}) + "\n")
    sys.stdout.flush()
    servers = [(_server(app, address), sockets[name]) for name, (app, address) in applications.items()]
    asyncio.run(_run(servers))


async def _run(servers: list[tuple[uvicorn.Server, socket.socket]]) -> None:
    def stop() -> None:
        for server, _ in servers:
            server.should_exit = True

    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop)
    async with asyncio.TaskGroup() as group:
        for server, bound in servers:
            group.create_task(server.serve(sockets=[bound]))


class _Server(uvicorn.Server):
    """Uvicorn without its own signal handlers, which know one server per process."""

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()


def _server(app: FastAPI, address: Address) -> uvicorn.Server:
    configuration = uvicorn.Config(
        app,
        http="h11",  # the other parser knows no method LIST, which Vault's clients use
        lifespan="off",
        ws="none",
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=_STOP_SECONDS,
        ssl_certfile=address.certificate_file,
        ssl_keyfile=address.key_file,
    )
    return _Server(configuration)


def _listening(port: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((_HOST, port))
    bound.listen(_BACKLOG)
    return bound


def _url(bound: socket.socket, address: Address) -> str:
    scheme = "https" if address.certificate_file else "http"
    return f"{scheme}://{_HOST}:{bound.getsockname()[1]}"
