"""The application that data planes call back (Data Plane Signaling, control plane's side)."""

import hashlib
import hmac
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from connector_spi.errors import (
    ConnectorError,
    InvalidInputError,
    NotFoundError,
    TransientError,
    UnauthenticatedError,
)
from connector_spi.json_body import BodyTooLargeError, read_json_object, validated
from connector_spi.signaling import DataFlowStatusMessage
from connector_spi.vault import Vault
from control_plane.services.data_flow_service import DataFlowService

_log = logging.getLogger(__name__)

_STATUS: Final[tuple[tuple[type[ConnectorError], int], ...]] = (
    (UnauthenticatedError, 401),
    (NotFoundError, 404),
    (BodyTooLargeError, 413),
    (InvalidInputError, 400),
    (TransientError, 503),
    (ConnectorError, 500),
)


class DataPlaneAuthenticator:
    """Tells data planes apart by the bearer token that each shares with this control plane through the vault."""

    def __init__(self, vault: Vault, token_aliases: Mapping[str, str | None]) -> None:
        """`token_aliases`: data plane id -> vault alias; None means that this data plane needs no token."""
        self._vault = vault
        self._token_aliases = token_aliases

    async def authenticate(self, authorization: str | None) -> frozenset[str]:
        """Ids of the data planes that the token belongs to; several may share one.

        Raises:
            UnauthenticatedError: no data plane has this token.
        """
        sent = hashlib.sha256((authorization or "").removeprefix("Bearer ").encode()).digest()
        found = set()
        for data_plane_id, alias in self._token_aliases.items():
            if alias is None:
                found.add(data_plane_id)
                continue
            expected = hashlib.sha256((await self._vault.resolve(alias)).encode()).digest()
            if hmac.compare_digest(sent, expected):
                found.add(data_plane_id)
        if not found:
            raise UnauthenticatedError("The Authorization header belongs to no data plane.")
        return frozenset(found)


def create_signaling_app(service: DataFlowService, authenticator: DataPlaneAuthenticator) -> FastAPI:
    """POST /transfers/{id}/dataflow/{prepared,started,completed,errored}, and our own /progress."""
    app = FastAPI(title="Data Plane Signaling", docs_url=None, redoc_url=None, openapi_url=None)
    callbacks = _Callbacks(service)

    @app.post("/transfers/{process_id}/dataflow/{name}")
    async def receive(request: Request, process_id: str, name: str) -> JSONResponse:
        try:
            data_planes = await authenticator.authenticate(request.headers.get("Authorization"))
            if "\0" in process_id:
                raise NotFoundError(kind="TransferProcess", object_id=process_id)
            message = validated(DataFlowStatusMessage, await read_json_object(request))
            await callbacks.named(name)(data_planes, process_id, message)
        except ConnectorError as error:
            status = next(code for kind, code in _STATUS if isinstance(error, kind))
            _log.warning("a data plane's call was refused", extra={"status": status, "code": error.code})
            return JSONResponse({"code": error.code, "message": error.message}, status_code=status)
        return JSONResponse({})

    return app


class _Callbacks:
    """What each call-back means. `prepared` is not among them: this control plane provisions by itself."""

    def __init__(self, service: DataFlowService) -> None:
        self._service = service
        self._handlers: dict[str, Callable[[frozenset[str], str, DataFlowStatusMessage], Awaitable[None]]] = {
            "started": self._started,
            "completed": self._completed,
            "errored": self._errored,
            "progress": self._progress,
        }

    def named(self, name: str) -> Callable[[frozenset[str], str, DataFlowStatusMessage], Awaitable[None]]:
        if name not in self._handlers:
            raise NotFoundError(kind="Call-back", object_id=name)
        return self._handlers[name]

    async def _started(self, data_planes: frozenset[str], process_id: str, _message: DataFlowStatusMessage) -> None:
        await self._service.on_started(data_planes, process_id)

    async def _completed(self, data_planes: frozenset[str], process_id: str, message: DataFlowStatusMessage) -> None:
        if message.progress is not None:
            await self._service.on_progress(data_planes, process_id, message.progress)
        await self._service.on_completed(data_planes, process_id)

    async def _errored(self, data_planes: frozenset[str], process_id: str, message: DataFlowStatusMessage) -> None:
        failure = message.failure
        code = failure.code if failure else "DataFlowError"
        text = (failure.message if failure else message.error) or "The data plane gave no reason."
        if failure and failure.object_name:
            text = f"{text} (object {failure.object_name!r})"
        await self._service.on_errored(data_planes, process_id, code=code, message=text)

    async def _progress(self, data_planes: frozenset[str], process_id: str, message: DataFlowStatusMessage) -> None:
        if message.progress is not None:
            await self._service.on_progress(data_planes, process_id, message.progress)
