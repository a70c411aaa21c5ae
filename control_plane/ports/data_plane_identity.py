"""DataPlaneIdentity: which data plane is calling."""

from typing import Protocol


class DataPlaneIdentity(Protocol):
    """Tells data planes apart by what they prove."""

    async def authenticate(self, authorization: str | None) -> frozenset[str]:
        """Ids of the data planes that this `Authorization` header belongs to; several may share a token.

        Raises:
            UnauthenticatedError: it belongs to none; does not tell why.
            PeerUnavailableError, ForbiddenAddressError: the keys of its issuer could not be fetched.
            VaultForbiddenError, VaultUnavailableError, StoreUnavailableError: it could not be checked now.
        """
        ...
