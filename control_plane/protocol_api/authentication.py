"""Who sent a request: asks the CounterpartyIdentity, and tells a caller that is refused no more than that."""

import asyncio
import logging
from typing import Final

from connector_spi.errors import ConnectorError, TransientError, UnauthenticatedError
from connector_spi.log_context import redacted
from control_plane.domain.participant import Participant
from control_plane.ports.counterparty_identity import CounterpartyIdentity

_log = logging.getLogger(__name__)

HEADER_MAX: Final = 16_384
"""Characters; tokens with many claims are a few thousand long."""
_CHECK_SECONDS: Final = 20.0
"""Limit of a check that asks third parties, however slowly they answer."""
_REFUSED: Final = "The Authorization header does not prove who is calling."


class IdentityUncheckedError(TransientError):
    """Whether the header is good cannot be told now: keys cannot be fetched, or a third party does not answer."""

    code = "IdentityUnchecked"
    cause = (
        "whether a counterparty's token is good cannot be told now: keys cannot be fetched, or a third party does not"
        " answer"
    )
    remedy = (
        "It is tried again by the counterparty. Check that this machine reaches the issuer's keys (`identity.oauth2`,"
        " did:web), and the guard (`outbound.allowed_hosts`)."
    )


async def authenticated(identity: CounterpartyIdentity, authorization: str | None) -> Participant:
    """Whoever sent this Authorization header. Which check failed stands in the log alone, and never the token.

    Raises:
        UnauthenticatedError: the header proves nothing; always with one and the same message.
        IdentityUncheckedError: it cannot be checked now; always with one and the same message.
    """
    if not authorization or len(authorization) > HEADER_MAX:
        raise _refusal("The header is missing or too long.")
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            return await identity.authenticate(authorization)
    except UnauthenticatedError as error:
        raise _refusal(error.message) from error
    except (ConnectorError, TimeoutError) as error:
        # Trouble of this side or of a third party, and none of the caller's business.
        reason = redacted(error.message) if isinstance(error, ConnectorError) else "it took too long"
        _log.warning("who is calling cannot be checked", extra={"reason": reason})
        raise IdentityUncheckedError("Who is calling cannot be checked now. Try again later.") from error


def _refusal(reason: str) -> UnauthenticatedError:
    _log.info("a caller did not prove who it is", extra={"reason": redacted(reason)})
    return UnauthenticatedError(_REFUSED)
