"""CounterpartyIdentity: who is calling, and how this connector proves who it is."""

from typing import Protocol

from control_plane.domain.participant import Counterparty, Participant


class CounterpartyIdentity(Protocol):
    """One way for participants to authenticate each other's messages."""

    async def authorization_for(self, counterparty: Counterparty) -> str:
        """The value of the Authorization header for a message to this counterparty.

        Raises:
            SecretNotFoundError, VaultForbiddenError, VaultUnavailableError: the signing key, or the client's secret,
                could not be read.
            PeerUnavailableError: a third party that gives out proofs does not answer now.
            PeerRefusedError, ForbiddenAddressError: it will not give one out, or may not be called.
        """
        ...

    def refused(self, counterparty: Counterparty, authorization: str) -> bool:
        """The counterparty answered 401 to this value: it is not given out again.

        Returns whether another value may be accepted, so that the same message is worth a second try at once.
        """
        ...

    async def authenticate(self, authorization: str | None) -> Participant:
        """Whoever sent this Authorization header, with what was proven about it.

        It may ask third parties (for keys, for credentials) by way of the guarded client; the caller limits its time.

        Raises:
            UnauthenticatedError: missing, malformed, expired, replayed, meant for somebody else, unknown or not signed
                by the participant that it names. The message says which, for this side's log and never with the token;
                whoever called is told no more than that it was refused.
            PeerUnavailableError: a third party that is needed for the check does not answer now.
            ForbiddenAddressError: that third party may not be called.
        """
        ...
