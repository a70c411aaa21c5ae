"""Reads a JSON object from an HTTP request within limits: size, time and depth.

Both planes' HTTP edges take messages from others; what such a message may cost is decided here, once. The request is
anything with `headers` and an async `stream` (Starlette's), so that this package needs no web framework.
"""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from connector_spi.errors import InvalidInputError, PermanentError

BODY_MAX_BYTES: Final = 1024 * 1024
BODY_MAX_SECONDS: Final = 30.0
BODY_MAX_DEPTH: Final = 64


class BodyTooLargeError(PermanentError):
    """The body is larger than the limit."""

    code = "BodyTooLarge"
    cause = "the body is larger than the limit for messages"
    remedy = (
        "Send less: the limit stands in the message. For queries lower `limit`; secrets and long texts belong "
        "elsewhere."
    )


class StreamedRequest(Protocol):
    """What is needed of a web framework's request."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Header fields; names in any case."""
        ...

    def stream(self) -> AsyncIterator[bytes]:
        """The body in pieces."""
        ...


async def read_json_object(request: StreamedRequest, *, max_bytes: int = BODY_MAX_BYTES) -> dict[str, Any]:
    """The body's JSON object; an empty body counts as an empty object.

    Raises:
        BodyTooLargeError: more than `max_bytes`; no more than that is read.
        InvalidInputError: not JSON, not an object, nested too deeply, or too slow to arrive.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_MAX_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > max_bytes:
                    raise BodyTooLargeError(f"The body is larger than the limit of {max_bytes} bytes.")
    except TimeoutError:
        raise _invalid(f"did not arrive within {BODY_MAX_SECONDS:g} seconds") from None
    return parsed_object(bytes(body))


def parsed_object(body: bytes) -> dict[str, Any]:
    """The JSON object in these bytes.

    Raises:
        InvalidInputError: not JSON (numbers that are not finite included), not an object, nested too deeply, or with a
            text that no database keeps (NUL, half of a surrogate pair).
    """
    if not body.strip():
        return {}
    try:
        parsed = json.loads(body, parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError):
        raise _invalid("is not JSON") from None
    if not isinstance(parsed, dict):
        raise _invalid("is not a JSON object")
    _check_content(parsed)
    return parsed


M = TypeVar("M", bound=BaseModel)

_REMEDIES: Final = {
    "missing": "Send it.",
    "string_type": "Send a text.",
    "string_too_long": "Send a shorter text.",
    "string_too_short": "Send a longer text.",
    "too_long": "Send fewer.",
    "list_type": "Send a list.",
    "model_type": "Send an object.",
    "dict_type": "Send an object.",
}


def validated(model: type[M], body: dict[str, Any]) -> M:
    """The body as this message.

    Raises:
        InvalidInputError: it is not; names the first member that is wrong, and never shows its value where that is a
            text or holds one, for it may be a secret.
    """
    try:
        return model.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        value = first["input"] if isinstance(first["input"], bool | int | float | None) else "..."
        problem = first["msg"].removeprefix("Value error, ")
        remedy = _REMEDIES.get(first["type"], "")
        raise InvalidInputError(field=where, value=value, problem=problem, remedy=remedy) from None


def _check_content(value: Any) -> None:
    level = [value]
    for _ in range(BODY_MAX_DEPTH):
        _check_texts(level)
        level = [
            child
            for node in level
            if isinstance(node, dict | list)
            for child in ((*node.keys(), *node.values()) if isinstance(node, dict) else node)
        ]
        if not level:
            return
    raise _invalid(f"is nested deeper than {BODY_MAX_DEPTH} levels")


def _check_texts(values: list[Any]) -> None:
    for value in values:
        if isinstance(value, str) and ("\0" in value or any("\ud800" <= character <= "\udfff" for character in value)):
            raise _invalid("holds a character that cannot be stored")


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(number)
    return value


def _invalid(problem: str) -> InvalidInputError:
    return InvalidInputError(field="body", value="...", problem=problem, remedy="Send one JSON object.")
