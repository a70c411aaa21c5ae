"""Identities: that of the Entra ID that is played, and one that gets its token from nobody."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Final, Self

from azure.core.credentials import AccessToken
from azure.core.credentials_async import AsyncTokenCredential

from entra_identity.credentials import EntraCredentials
from entra_identity.settings import ClientSecretSettings
from tests.emulated import RunningEntra

_FAR: Final = 4102444800
"""The year 2100."""


class PlainCredential:
    """Always the same token; counts how often it was asked for."""

    def __init__(self, token: str = "token-of-the-test", *, error: Exception | None = None) -> None:
        self.token = token
        self.error = error
        self.asked = 0

    async def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return AccessToken(self.token, _FAR)

    async def close(self) -> None:
        """Nothing is open."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        """Nothing is open."""


class PlainCredentials:
    """Identities by name."""

    def __init__(self, by_name: Mapping[str, AsyncTokenCredential]) -> None:
        self._by_name = by_name

    def of(self, name: str) -> AsyncTokenCredential:
        return self._by_name[name]


SECRET_VARIABLE: Final = "ENTRA_CLIENT_SECRET"


def identity_of(entra: RunningEntra) -> ClientSecretSettings:
    """The application of the Entra ID that is played, as the configuration writes it."""
    return ClientSecretSettings(
        type="client-secret",
        authority=entra.url,
        instance_discovery=False,
        ca_file=entra.ca_file,
        tenant_id=entra.tenant,
        client_id=entra.client_id,
        client_secret_env=SECRET_VARIABLE,
    )


@asynccontextmanager
async def open_identities(entra: RunningEntra, name: str = "own") -> AsyncIterator[EntraCredentials]:
    """That application, under this name."""
    environ = {SECRET_VARIABLE: entra.client_secret}
    credentials = EntraCredentials({name: identity_of(entra)}, environ=environ)
    try:
        yield credentials
    finally:
        await credentials.aclose()
