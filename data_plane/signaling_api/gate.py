"""SignalingGate: who may send messages, how large and how slow they may be. Stands before everything else."""

import asyncio
import ipaddress
import logging
from typing import Final

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connector_spi.errors import ConnectorError, UnauthenticatedError
from data_plane.services.callers import CONFIGURED, CallerCheck

_log = logging.getLogger(__name__)

CALLER: Final = "caller"
_OPEN_PATHS: Final = ("/api/check/", "/public/")
_BEARER: Final = "bearer "


class SignalingGate:
    """ASGI middleware; health checks pass.

    `callers` tells whose token it is. None means that none is asked for; then only connections to a loopback address or
    a Unix socket are served. Who is calling is kept as `CALLER` in the request's state. Bodies are read here, up to
    `max_body_bytes` and for `body_seconds`. The public paths have rules of their own, and pass.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        callers: CallerCheck | None,
        max_body_bytes: int,
        body_seconds: float,
    ) -> None:
        self._app = app
        self._callers = callers
        self._max_body_bytes = max_body_bytes
        self._body_seconds = body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 400, 401, 408, 413 or 503."""
        if scope["type"] != "http" or scope["path"].startswith(_OPEN_PATHS):
            await self._app(scope, receive, send)
            return
        read = await self._refusal(scope) or await self._body(receive)
        if isinstance(read, JSONResponse):
            await read(scope, receive, send)
            return
        await self._app(scope, _replayed(read, receive), send)

    async def _refusal(self, scope: Scope) -> JSONResponse | None:
        if "\0" in scope["path"]:
            return _answer(400, "InvalidInput", "The path holds a character that no id has.")
        if self._callers is None:
            if not _is_local(scope.get("server")):
                return _answer(401, "Unauthenticated", "Without a token, messages are taken on loopback only.")
            _note(scope, CONFIGURED)
            return None
        try:
            _note(scope, await self._callers.caller_of(_bearer_token(scope)))
        except UnauthenticatedError as error:
            return _answer(401, error.code, error.message)
        except ConnectorError as error:
            _log.error("a token cannot be checked", extra={"reason": error.message})
            return _answer(503, error.code, "The data plane cannot check tokens now.")
        return None

    async def _body(self, receive: Receive) -> bytes | JSONResponse:
        """The whole body, or the answer to one that is too large or too slow."""
        body = bytearray()
        try:
            async with asyncio.timeout(self._body_seconds):
                while True:
                    message = await receive()
                    if message["type"] != "http.request":
                        return _answer(400, "BodyIncomplete", "The client went away in the middle of the body.")
                    body += message.get("body", b"")
                    if len(body) > self._max_body_bytes:
                        return _answer(413, "BodyTooLarge", f"The body is larger than {self._max_body_bytes} bytes.")
                    if not message.get("more_body", False):
                        return bytes(body)
        except TimeoutError:
            return _answer(408, "BodyTooSlow", f"The body did not arrive within {self._body_seconds:g} seconds.")


def _answer(status: int, code: str, message: str) -> JSONResponse:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None  # noqa: PLR2004 - Unauthorized
    return JSONResponse({"code": code, "message": message}, status_code=status, headers=headers)


def _note(scope: Scope, caller: str) -> None:
    scope.setdefault("state", {})[CALLER] = caller


def _bearer_token(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"authorization" and value[: len(_BEARER)].lower() == _BEARER.encode():
            return bytes(value[len(_BEARER) :].strip()).decode("latin-1")
    return ""


def _is_local(server: tuple[str, int | None] | None) -> bool:
    """Whether the connection came in on loopback or a Unix socket, of which ASGI tells the path or nothing."""
    if server is None:
        return True
    host, port = server
    try:
        return ipaddress.ip_address(host.split("%")[0]).is_loopback
    except ValueError:
        return port is None


def _replayed(body: bytes, receive: Receive) -> Receive:
    """The body once more, then whatever else comes from the client."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
