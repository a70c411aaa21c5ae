"""Which data planes there are now: those of the settings, as their own registrations have changed them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import httpx

from connector_spi.errors import PeerRefusedError
from connector_spi.vault import Vault
from control_plane.adapters.data_plane_authorization import CallerAuthorization, FetchedToken
from control_plane.domain.data_plane_registration import CallerCredentials, DataPlaneRegistration
from control_plane.domain.query import QuerySpec
from control_plane.ports.stores import DefinitionStore
from outbound_http.oauth2_tokens import ClientCredentials, OAuth2TokenClient

_REGISTRATIONS_MAX: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class DataPlaneEndpoint:
    """A data plane that this control plane may use.

    `url`: None as long as it has not registered. `prepares`: whether it makes destinations ready for a consumer.
    `shares_vault`: whether messages may hold vault aliases in place of secrets. `legacy_members`: whether it gets the
    members that Data Plane Signaling had before 1.0-RC3. `source_types`: the DataAddress types that it reads from; none
    means any, for data planes do not tell.
    """

    id: str
    url: str | None
    transfer_types: tuple[str, ...]
    http: httpx.AsyncClient
    authorization: CallerAuthorization
    shares_vault: bool
    prepares: bool = False
    legacy_members: bool = True
    source_types: tuple[str, ...] = ()

    def reads(self, source_type: str | None) -> bool:
        """Whether it serves data of this DataAddress type; None: whatever it is."""
        return source_type is None or not self.source_types or source_type in self.source_types


class DataPlaneDirectory:
    """Finds data planes. A process stays with the one that it was given to."""

    def __init__(
        self,
        *,
        configured: tuple[DataPlaneEndpoint, ...],
        registrations: DefinitionStore[DataPlaneRegistration],
        guarded: httpx.AsyncClient,
        vault: Vault,
    ) -> None:
        """`guarded`: calls the addresses that data planes registered."""
        self._configured = configured
        self._registrations = registrations
        self._guarded = guarded
        self._vault = vault
        self._tokens: dict[str, tuple[datetime, FetchedToken]] = {}

    async def all(self) -> list[DataPlaneEndpoint]:
        """Those that can be called, in configured order.

        Raises:
            StoreUnavailableError: the registrations could not be read.
        """
        found = await self._registrations.query(QuerySpec(limit=_REGISTRATIONS_MAX))
        by_id = {registration.id: registration for registration in found}
        planes = [self._current(plane, by_id.get(plane.id)) for plane in self._configured]
        return [plane for plane in planes if plane.url is not None]

    async def named(self, data_plane_id: str | None) -> DataPlaneEndpoint:
        """The data plane with this id.

        Raises:
            PeerRefusedError: there is none (any more).
            StoreUnavailableError: the registrations could not be read.
        """
        for plane in await self.all():
            if plane.id == data_plane_id:
                return plane
        raise PeerRefusedError(f"The data plane {data_plane_id!r} is not known, or has deregistered.", status=0)

    async def serving(self, transfer_type: str) -> list[DataPlaneEndpoint]:
        """Those that serve this transfer type."""
        return [plane for plane in await self.all() if transfer_type in plane.transfer_types]

    def _current(self, plane: DataPlaneEndpoint, registration: DataPlaneRegistration | None) -> DataPlaneEndpoint:
        if registration is None:
            return plane
        return replace(
            plane,
            url=registration.endpoint,
            transfer_types=registration.transfer_types,
            http=self._guarded,
            authorization=self._authorization(registration) or plane.authorization,
        )

    def _authorization(self, registration: DataPlaneRegistration) -> CallerAuthorization | None:
        credentials = registration.credentials
        if credentials is None:
            return None
        since, token = self._tokens.get(registration.id, (None, None))
        if token is None or since != registration.registered_at:
            token = FetchedToken(OAuth2TokenClient(self._guarded, self._client_credentials(credentials)))
            self._tokens[registration.id] = (registration.registered_at, token)
        return token

    def _client_credentials(self, credentials: CallerCredentials) -> ClientCredentials:
        return ClientCredentials(
            token_endpoint=credentials.token_endpoint,
            client_id=credentials.client_id,
            secret=_reader(self._vault, credentials.secret_alias),
        )


def _reader(vault: Vault, alias: str) -> Callable[[], Awaitable[str]]:
    async def read() -> str:
        return await vault.resolve(alias)

    return read
