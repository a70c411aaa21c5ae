"""From the bytes of a request to a checked model: size, JSON, JSON-LD, then the rules of the model."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from connector_spi.data_address import SECRET_PROPERTIES
from connector_spi.json_body import BodyTooLargeError
from management_api import json_ld
from management_api.errors import (
    BodyTimeoutError,
    InvalidBodyError,
    MalformedRequestError,
    UnsupportedMediaTypeError,
    Violation,
)
from management_api.limits import InputLimits

Model = TypeVar("Model", bound=BaseModel)

_SHOWN_CHARACTERS: Final = 120


def body_of(model: type[Model]) -> Callable[[Request], Awaitable[Model]]:
    """A FastAPI dependency that reads the request's body as `model`; an empty body counts as an empty object.

    Its dependants see the errors of `read_body`.
    """

    async def read(request: Request) -> Model:
        limits: InputLimits = request.app.state.limits
        return read_body(model, await _received(request, limits), limits)

    return read


def read_body(model: type[Model], body: bytes, limits: InputLimits) -> Model:
    """The body as `model`.

    Raises:
        MalformedRequestError: it is not JSON.
        InvalidInputError: its JSON-LD cannot be read.
        InvalidBodyError: it breaks rules of the model; all of them are named.
    """
    document = _parsed(body) if body.strip() else {}
    try:
        return model.model_validate(json_ld.read(document, max_depth=limits.depth))
    except ValidationError as error:
        raise InvalidBodyError(tuple(_violation(e["loc"], e["msg"], e["input"]) for e in error.errors())) from None


async def _received(request: Request, limits: InputLimits) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limits.body_bytes:
        raise _too_large(limits)
    body = bytearray()
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limits.body_bytes:
                    raise _too_large(limits)
    except TimeoutError:
        raise BodyTimeoutError(f"The request body did not arrive within {limits.body_seconds:g} seconds.") from None
    if body:
        _check_media_type(request)
    return bytes(body)


def _too_large(limits: InputLimits) -> BodyTooLargeError:
    return BodyTooLargeError(f"The request body is larger than {limits.body_bytes} bytes.")


def _check_media_type(request: Request) -> None:
    """Only JSON: a web page of another site can send a form to a loopback listener, but not this."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise UnsupportedMediaTypeError(
            f"The body must be sent as application/json, not as {media_type or 'nothing'!r}."
        )


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body, parse_constant=_refused_constant)
    except RecursionError:
        raise MalformedRequestError("The request body is nested too deeply.") from None
    except UnicodeDecodeError:
        raise MalformedRequestError("The request body is not UTF-8 text.") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise MalformedRequestError(f"The request body is not JSON: {error.msg} at {place}.") from None
    except ValueError:
        raise MalformedRequestError("The request body holds a number that cannot be read.") from None


def _refused_constant(name: str) -> Any:
    raise ValueError(name)


def _violation(location: tuple[int | str, ...], message: str, value: object) -> Violation:
    path = ".".join(str(part) for part in location)
    problem = message.removeprefix("Value error, ")
    return Violation(path=path, message=f"{path}: {problem}", invalid_value=_shown(location, value))


def _shown(location: tuple[int | str, ...], value: object) -> object:
    """A value that may be repeated to the caller: short, plain, and no secret."""
    if any(part in SECRET_PROPERTIES for part in location):
        return "***"
    if isinstance(value, str):
        return value if len(value) <= _SHOWN_CHARACTERS else value[: _SHOWN_CHARACTERS - 3] + "..."
    return value if isinstance(value, bool | int | float) else None
