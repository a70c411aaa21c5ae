"""What proves this control plane to a data plane: nothing, a shared token, or a fetched one."""

from typing import Protocol

from connector_spi.vault import Vault
from connector_spi.vault_access import resolved
from outbound_http.oauth2_tokens import OAuth2TokenClient


class CallerAuthorization(Protocol):
    """The `Authorization` header of calls to one data plane."""

    async def header(self) -> str | None:
        """The header's value; None: no header.

        Raises:
            SecretNotFoundError, VaultForbiddenError, VaultUnavailableError: the secret could not be read.
            PeerUnavailableError, PeerRefusedError, ForbiddenAddressError: no token could be fetched.
        """
        ...

    def refused(self, header: str) -> None:
        """The data plane answered 401 to this value."""
        ...


class NoAuthorization:
    """For data planes on loopback or on a Unix socket."""

    async def header(self) -> str | None:
        """No header."""
        return None

    def refused(self, header: str) -> None:
        """Nothing to change."""


class SharedToken:
    """The bearer token that both planes hold in their vaults."""

    def __init__(self, vault: Vault, alias: str) -> None:
        self._vault = vault
        self._alias = alias

    async def header(self) -> str | None:
        """The token, read anew each time, for it may be rotated."""
        token = await resolved(self._vault, self._alias, purpose="call a data plane")
        return f"Bearer {token}"

    def refused(self, header: str) -> None:
        """Nothing is kept, so nothing has to be dropped."""


class FetchedToken:
    """Tokens by OAuth 2.0 client credentials."""

    def __init__(self, tokens: OAuth2TokenClient) -> None:
        self._tokens = tokens

    async def header(self) -> str | None:
        """A token that is good for a while."""
        return f"Bearer {await self._tokens.token()}"

    def refused(self, header: str) -> None:
        """The next call fetches another token."""
        self._tokens.invalidate(header.removeprefix("Bearer "))
