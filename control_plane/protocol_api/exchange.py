"""One exchange with a counterparty: who is calling, what it sent, and how errors are told in the protocol's form."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol, TypeVar

from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

from connector_spi.errors import ConnectorError, InvalidInputError, NotFoundError
from connector_spi.json_body import read_json_object, validated
from connector_spi.log_context import redacted
from control_plane.domain.participant import Participant
from control_plane.dsp_messages import CONTEXT, PID_MAX, short_term
from control_plane.ports.counterparty_identity import CounterpartyIdentity
from control_plane.protocol_api.authentication import authenticated
from control_plane.protocol_api.error_answers import (
    CATALOG_ERROR,
    NEGOTIATION_ERROR,
    NO_PROCESS,
    TRANSFER_ERROR,
    ProcessIds,
    defect_answer,
    error_answer,
    told,
)

__all__ = ["CATALOG_ERROR", "NEGOTIATION_ERROR", "TRANSFER_ERROR", "Exchange", "FindProcess", "read_message"]

_log = logging.getLogger(__name__)

_INTERNAL: Final = 500

M = TypeVar("M", bound=BaseModel)


class _Role(Protocol):
    @property
    def name(self) -> str: ...


class Process(Protocol):
    """A negotiation or a transfer, as far as errors are about it."""

    @property
    def id(self) -> str:
        """This side's id."""
        ...

    @property
    def correlation_id(self) -> str | None:
        """The counterparty's id, once it is known."""
        ...

    @property
    def type(self) -> _Role:
        """CONSUMER or PROVIDER: this side's role."""
        ...


FindProcess = Callable[[str, str], Awaitable[Process]]
"""The process of a counterparty (its id, this side's process id); raises NotFoundError for everybody else's."""


class Exchange:
    """Answers one request, whatever happens, in the form that the protocol prescribes."""

    def __init__(self, identity: CounterpartyIdentity, processes: Mapping[str, FindProcess] | None = None) -> None:
        """`processes`: of each type of error about processes, where the process in the path is found."""
        self._identity = identity
        self._processes = processes or {}

    async def answer(
        self,
        request: Request,
        error_type: str,
        handle: Callable[[Participant], Awaitable[dict[str, Any]]],
        *,
        status: int = 200,
    ) -> JSONResponse:
        """Authenticate the caller, handle the request, and put result or error into a response.

        `handle` gets the counterparty, its identity proven, and returns the body of the answer.
        """
        caller: Participant | None = None
        try:
            _check_path(request)
            caller = await authenticated(self._identity, request.headers.get("Authorization"))
            return JSONResponse(await handle(caller), status_code=status)
        except ConnectorError as error:
            answer = error_answer(error_type, error, await self._ids(request, error_type, caller))
            _log.log(
                logging.WARNING if answer.status_code >= _INTERNAL else logging.INFO,
                "a counterparty's message was refused",
                extra={
                    "path": request.url.path,
                    "status": answer.status_code,
                    "code": error.code,
                    "error": redacted(error.message),
                },
            )
            return answer
        except ClientDisconnect:
            return told(error_type, ProcessIds(), status=400, code="Disconnected", reason="The body did not arrive.")
        except Exception:  # noqa: BLE001 - a defect is answered in the protocol's form, and logged
            _log.exception("a counterparty's message could not be handled", extra={"path": request.url.path})
            return defect_answer(error_type, await self._ids(request, error_type, caller))

    async def _ids(self, request: Request, error_type: str, caller: Participant | None) -> ProcessIds:
        """What both sides call the process: as it is, where the caller may see it, else as the caller says."""
        pid = request.path_params.get("pid")
        said: ProcessIds = getattr(request.state, _SENT, ProcessIds(consumer=_pid(pid), provider=_pid(pid)))
        find = self._processes.get(error_type)
        if caller is None or pid is None or find is None:
            return said
        try:
            process = await find(caller.id, pid)
        except Exception:  # noqa: BLE001 - an error is being answered already; this one tells nothing more
            return said
        if process.type.name == "CONSUMER":
            return ProcessIds(consumer=process.id, provider=process.correlation_id or said.provider)
        return ProcessIds(consumer=process.correlation_id or said.consumer, provider=process.id)


_SENT: Final = "sent_process_ids"


async def read_message(request: Request, model: type[M], message_type: str, *, context: object = CONTEXT) -> M:
    """The request's message.

    `context`: what its `@context` has to hold; an extension has its own.

    Raises:
        InvalidInputError: the body is not this message; names the member.
        BodyTooLargeError: the body is larger than the limit.
    """
    body = await read_json_object(request)
    setattr(request.state, _SENT, _sent_ids(body, request.path_params.get("pid")))
    _check_envelope(body, message_type, context)
    return validated(model, body)


def _check_envelope(body: Mapping[str, Any], message_type: str, context: object) -> None:
    contexts = body.get("@context")
    if context not in (contexts if isinstance(contexts, list) else [contexts]):
        problem = "is missing" if contexts is None else "is not of this version of the protocol"
        raise InvalidInputError(field="@context", value=contexts, problem=problem, remedy=f"Send [{context!r}].")
    found = body.get("@type")
    if short_term(found) != message_type:
        problem = "is missing" if found is None else "is not expected here"
        raise InvalidInputError(field="@type", value=found, problem=problem, remedy=f"Send {message_type!r}.")


def _sent_ids(body: Mapping[str, Any], path_pid: str | None) -> ProcessIds:
    consumer, provider = _pid(body.get("consumerPid")), _pid(body.get("providerPid"))
    if consumer == provider == NO_PROCESS:
        consumer = provider = _pid(path_pid)
    return ProcessIds(consumer=consumer, provider=provider)


def _pid(value: object) -> str:
    return value if isinstance(value, str) and 0 < len(value) <= PID_MAX else NO_PROCESS


def _check_path(request: Request) -> None:
    for value in request.path_params.values():
        if "\0" in value:
            raise NotFoundError(kind="Object", object_id=value)
