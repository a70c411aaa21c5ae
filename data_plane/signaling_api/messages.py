"""What a route gets of a request: the message in its body, and who has sent it."""

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel

from connector_spi.errors import InvalidInputError
from connector_spi.json_body import parsed_object, validated
from connector_spi.plane_registration import ControlPlaneRegistrationMessage
from connector_spi.signaling import (
    DataFlowPrepareMessage,
    DataFlowResumeMessage,
    DataFlowStartedNotificationMessage,
    DataFlowStartMessage,
    DataFlowSuspendMessage,
    DataFlowTerminateMessage,
)
from data_plane.signaling_api.gate import CALLER

M = TypeVar("M", bound=BaseModel)


def _body(kind: type[M]) -> Callable[[Request], Awaitable[M]]:
    """Reads the request's body as this message; an empty body has no members, and a null counts as none.

    The gate has limited its size.
    """

    async def message(request: Request) -> M:
        sent = parsed_object(await request.body())
        return validated(kind, {name: value for name, value in sent.items() if value is not None})

    return message


def _caller(request: Request) -> str:
    return str(getattr(request.state, CALLER))


async def _optional_message_id(request: Request) -> str | None:
    try:
        sent = parsed_object(await request.body()).get("messageId")
    except InvalidInputError:
        return None
    return sent if isinstance(sent, str) and 0 < len(sent) <= 256 else None  # noqa: PLR2004 - as in the messages


PrepareMessage = Annotated[DataFlowPrepareMessage, Depends(_body(DataFlowPrepareMessage))]
StartMessage = Annotated[DataFlowStartMessage, Depends(_body(DataFlowStartMessage))]
StartedMessage = Annotated[DataFlowStartedNotificationMessage, Depends(_body(DataFlowStartedNotificationMessage))]
SuspendMessage = Annotated[DataFlowSuspendMessage, Depends(_body(DataFlowSuspendMessage))]
ResumeMessage = Annotated[DataFlowResumeMessage, Depends(_body(DataFlowResumeMessage))]
TerminateMessage = Annotated[DataFlowTerminateMessage, Depends(_body(DataFlowTerminateMessage))]
RegistrationMessage = Annotated[ControlPlaneRegistrationMessage, Depends(_body(ControlPlaneRegistrationMessage))]
OptionalMessageId = Annotated[str | None, Depends(_optional_message_id)]
Caller = Annotated[str, Depends(_caller)]
