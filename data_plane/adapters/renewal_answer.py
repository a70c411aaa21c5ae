"""What a control plane answers to the question for a fresh credential (this project's extension of the signaling)."""

from typing import Any, Final

import httpx
from pydantic import ValidationError

from connector_spi.data_address import DataAddress
from connector_spi.errors import InvalidInputError, PeerRefusedError, PeerUnavailableError
from connector_spi.json_body import parsed_object
from connector_spi.log_context import redacted
from connector_spi.signaling import DataFlowStatusMessage

_EXTENSION_UNKNOWN: Final = frozenset({404, 405, 501})
_TRY_AGAIN: Final = frozenset({401, 403, 408, 425, 429})
"""Its token may be in the middle of a rotation; a control plane that refuses for good answers 409."""
_SERVER_ERRORS: Final = 500
_REASON_SHOWN: Final = 500
_MAX_BYTES: Final = 64 * 1024


def renewed_address(answer: httpx.Response) -> DataAddress:
    """The address with the credential or its alias.

    Raises:
        PeerUnavailableError: try again, after `retry_after_seconds` where the control plane says so.
        PeerRefusedError: asking again is in vain.
    """
    status, body = answer.status_code, _object(answer)
    if status in _EXTENSION_UNKNOWN:
        raise PeerRefusedError("The control plane does not know how to renew a credential.", status=status)
    if not answer.is_success:
        said = redacted(str(body.get("message") or ""))[:_REASON_SHOWN]
        text = f"The control plane gave no fresh credential (HTTP {status}" + (f": {said})." if said else ").")
        if status in _TRY_AGAIN or status >= _SERVER_ERRORS:
            seconds = answer.headers.get("Retry-After", "")
            raise PeerUnavailableError(text, retry_after_seconds=float(seconds) if seconds.isdecimal() else None)
        raise PeerRefusedError(text, status=status)
    try:
        address = DataFlowStatusMessage.model_validate(body).data_address
    except ValidationError:
        address = None
    if address is None:
        raise PeerRefusedError("The control plane answered no data address with a fresh credential.", status=status)
    return address.to_address()


def _object(answer: httpx.Response) -> dict[str, Any]:
    """The answer's JSON object; an empty, foreign or overlong body counts as an empty one."""
    if len(answer.content) > _MAX_BYTES:
        return {}
    try:
        return parsed_object(answer.content)
    except InvalidInputError:
        return {}
