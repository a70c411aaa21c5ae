"""ControlPlaneDirectory over HTTP: `PUT` and `DELETE` of `/dataplanes`, as specified and as EDC has it."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

import httpx

from connector_spi.errors import PeerRefusedError, PeerUnavailableError
from connector_spi.plane_registration import CLIENT_CREDENTIALS, AuthorizationMessage, DataPlaneRegistrationMessage
from connector_spi.vault import Vault

_TIMEOUT: Final = httpx.Timeout(10.0, connect=5.0)
_TRY_AGAIN: Final = frozenset({401, 403, 408, 425, 429})
_SERVER_ERRORS: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRegistration:
    """What one control plane is told of us, and what proves us there. Secrets are vault aliases; empty: none."""

    url: str
    data_plane_id: str
    endpoint: str
    profiles: tuple[str, ...]
    labels: tuple[str, ...] = ()
    api_key_alias: str = ""
    token_alias: str = ""
    token_endpoint: str = ""
    client_id: str = ""
    client_secret_alias: str = ""
    jwks_uri: str = ""


class HttpControlPlaneDirectory:
    """Implements `data_plane.ports.control_plane_directory.ControlPlaneDirectory`."""

    def __init__(self, own: OwnRegistration, *, client: httpx.AsyncClient, vault: Vault) -> None:
        self._own = own
        self._client = client
        self._vault = vault

    @property
    def name(self) -> str:
        """Its address."""
        return self._own.url

    async def register(self) -> None:
        """Send everything that is to be known; EDC reads `transferTypes`, others `profiles`."""
        message = DataPlaneRegistrationMessage(
            dataplane_id=self._own.data_plane_id,
            endpoint=self._own.endpoint,
            profiles=list(self._own.profiles),
            transfer_types=list(self._own.profiles),
            labels=list(self._own.labels),
            authorization=await self._authorization(),
        )
        await self._call("PUT", self._own.url, message.wire())

    async def leave(self) -> None:
        """Take it back."""
        url = f"{self._own.url.rstrip('/')}/{quote(self._own.data_plane_id, safe='')}"
        await self._call("DELETE", url, None, accepted=httpx.codes.NOT_FOUND)

    async def _authorization(self) -> AuthorizationMessage | None:
        own = self._own
        if not own.token_endpoint:
            return None
        return AuthorizationMessage(
            type=CLIENT_CREDENTIALS,
            token_endpoint=own.token_endpoint,
            client_id=own.client_id,
            client_secret=await self._vault.resolve(own.client_secret_alias),
            jwks_uri=own.jwks_uri or None,
        )

    async def _call(self, method: str, url: str, body: object, *, accepted: int = 0) -> None:
        headers = {}
        if self._own.api_key_alias:
            headers["X-Api-Key"] = await self._vault.resolve(self._own.api_key_alias)
        if self._own.token_alias:
            headers["Authorization"] = f"Bearer {await self._vault.resolve(self._own.token_alias)}"
        try:
            answer = await self._client.request(
                method, url, json=body, headers=headers, timeout=_TIMEOUT, follow_redirects=False
            )
        except httpx.HTTPError as error:
            raise PeerUnavailableError(f"The control plane did not answer ({type(error).__name__}).") from None
        status = answer.status_code
        if answer.is_success or status == accepted:
            return
        text = f"The control plane answered the {method} of our registration with HTTP {status}."
        if status in _TRY_AGAIN or status >= _SERVER_ERRORS:
            raise PeerUnavailableError(text)
        raise PeerRefusedError(text, status=status)
