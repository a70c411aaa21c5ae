"""ClientIdentity: who asks for a fresh token at our public endpoint."""

from collections.abc import Mapping
from typing import Any, Protocol


class ClientIdentity(Protocol):
    """Checks tokens that participants have signed with the keys of their identity."""

    async def claims(self, token: str, *, client: str, audience: str) -> Mapping[str, Any]:
        """What the token says, which `client` has signed for `audience`.

        Raises:
            UnauthenticatedError: it has not.
            PeerUnavailableError, ForbiddenAddressError: the client's keys could not be fetched.
        """
        ...
