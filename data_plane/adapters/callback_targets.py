"""CallbackTargets: where the call-backs of a flow go, and what proves us there."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import httpx

from connector_spi.errors import ConfigurationError
from connector_spi.vault import Vault
from connector_spi.vault_access import resolved
from data_plane.domain.data_flow import DataFlow
from data_plane.domain.registered_control_plane import RegisteredControlPlane
from data_plane.ports.control_plane_registry import ControlPlaneRegistry
from outbound_http.oauth2_tokens import ClientCredentials, OAuth2TokenClient


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguredControlPlane:
    """The one in the settings, which owns every flow that no registered one does."""

    base: str
    token_alias: str = ""
    """Vault alias of a bearer token that both sides know; empty: none is sent."""
    credentials: ClientCredentials | None = None
    """Client credentials, which count before the bearer token."""


@dataclass(frozen=True, slots=True)
class CallbackTarget:
    """One control plane, for one call. `refused`: to be told when it answers 401."""

    base: str
    client: httpx.AsyncClient
    token: str = field(default="", repr=False)
    refused: Callable[[], None] = lambda: None


class CallbackTargets:
    """Finds the control plane of a flow."""

    def __init__(
        self,
        *,
        configured: ConfiguredControlPlane,
        registry: ControlPlaneRegistry,
        vault: Vault,
        plain: httpx.AsyncClient,
        guarded: httpx.AsyncClient,
    ) -> None:
        """`plain` calls what the operator wrote down, `guarded` what came with a registration."""
        self._configured = configured
        self._registry = registry
        self._vault = vault
        self._plain = plain
        self._guarded = guarded
        self._token_clients: dict[tuple[str, str, str], OAuth2TokenClient] = {}

    async def of(self, flow: DataFlow) -> CallbackTarget:
        """The flow's control plane.

        Raises:
            ConfigurationError: none is configured, or the one that owns the flow has gone.
            PeerUnavailableError, PeerRefusedError: its token endpoint gave no token.
            SecretNotFoundError, VaultForbiddenError, VaultUnavailableError: our credential could not be read.
        """
        if flow.control_plane_id:
            return await self._registered(flow.control_plane_id)
        base, credentials = flow.callback_base or self._configured.base, self._configured.credentials
        if not base:
            raise ConfigurationError(key="control_plane_url", problem="is not set and the flow names no call-back")
        if credentials is not None:
            return await self._with_token(base, self._plain, credentials)
        alias = self._configured.token_alias
        token = await resolved(self._vault, alias, purpose="call a control plane") if alias else ""
        return CallbackTarget(base, self._plain, token)

    async def _registered(self, control_plane_id: str) -> CallbackTarget:
        found = await self._registry.find(control_plane_id)
        if found is None:
            raise ConfigurationError(
                key=f"control plane {control_plane_id}", problem="is not registered any more", remedy="It has to be."
            )
        if not found.token_endpoint:
            return CallbackTarget(found.endpoint, self._guarded)
        return await self._with_token(found.endpoint, self._guarded, self._credentials_of(found))

    def _credentials_of(self, found: RegisteredControlPlane) -> ClientCredentials:
        return ClientCredentials(
            token_endpoint=found.token_endpoint,
            client_id=found.client_id,
            secret=_resolving(self._vault, found.secret_alias),
        )

    async def _with_token(self, base: str, client: httpx.AsyncClient, wanted: ClientCredentials) -> CallbackTarget:
        key = (base, wanted.token_endpoint, wanted.client_id)
        tokens = self._token_clients.setdefault(key, OAuth2TokenClient(client, wanted))
        token = await tokens.token()
        return CallbackTarget(base, client, token, lambda: tokens.invalidate(token))


def _resolving(vault: Vault, alias: str) -> Callable[[], Awaitable[str]]:
    async def secret() -> str:
        return await resolved(vault, alias, purpose="fetch a token for a control plane")

    return secret
