"""CounterpartyIdentity: who is calling, and how this connector proves who it is."""

from typing import Protocol

from control_plane.domain.participant import Counterparty, Participant


class CounterpartyIdentity(Protocol):
    """One way for participants to authenticate each other's messages."""

    async def authorization_for(self, counterparty: Counterparty) -> str:
        """The value of the Authorization header for a message to this counterparty.

        Raises:
            SecretNotFoundError, VaultUnavailableError: the signing key could not be read.
        """
        ...

    async def authenticate(self, authorization: str | None) -> Participant:
        """Whoever sent this Authorization header, with what was proven about it.

        Raises:
            UnauthenticatedError: missing, malformed, expired, replayed, meant for somebody else, unknown or not signed
                by the participant that it names. The message does not tell which.
        """
        ...
