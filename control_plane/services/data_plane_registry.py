"""DataPlaneRegistry: data planes make themselves known, each under its own id."""

import hashlib
import logging

from connector_spi.clock import Clock
from connector_spi.errors import InvalidInputError, NotFoundError
from connector_spi.outbound_addresses import OutboundAddressPolicy
from connector_spi.plane_registration import CLIENT_CREDENTIALS, AuthorizationMessage, DataPlaneRegistrationMessage
from connector_spi.vault import Vault
from control_plane.domain.data_plane_registration import CallerCredentials, DataPlaneRegistration
from control_plane.ports.stores import DefinitionStore

_log = logging.getLogger(__name__)

_DATAFLOWS = "/dataflows"


class DataPlaneRegistry:
    """Takes registrations.

    `callers`: ids of the data planes that the caller proved to be; others do not exist for it.
    """

    def __init__(
        self,
        *,
        participant_id: str,
        registrations: DefinitionStore[DataPlaneRegistration],
        vault: Vault,
        outbound: OutboundAddressPolicy,
        clock: Clock,
    ) -> None:
        self._participant_id = participant_id
        self._registrations = registrations
        self._vault = vault
        self._outbound = outbound
        self._clock = clock

    async def register(self, callers: frozenset[str], message: DataPlaneRegistrationMessage) -> None:
        """Note or replace a data plane's registration.

        Raises:
            NotFoundError: the caller is another data plane.
            InvalidInputError: it serves nothing, or asks for a kind of authorization that is not known here.
            ForbiddenAddressError: one of its addresses may not be called.
        """
        _check_caller(callers, message.dataplane_id)
        if not message.offered:
            raise InvalidInputError(field="profiles", value=[], problem="names nothing that the data plane serves")
        self._outbound.check_url(message.endpoint)
        registration = DataPlaneRegistration(
            id=message.dataplane_id,
            participant_id=self._participant_id,
            endpoint=base_address(message.endpoint),
            transfer_types=message.offered,
            labels=tuple(message.labels or ()),
            credentials=await self._credentials(message.dataplane_id, message.authorization),
            registered_at=self._clock.now(),
        )
        try:
            await self._registrations.replace(registration)
        except NotFoundError:
            await self._registrations.create(registration)
        _log.info("a data plane has registered", extra={"data_plane": registration.id})

    async def deregister(self, callers: frozenset[str], data_plane_id: str) -> None:
        """Forget a data plane's registration and its secret.

        Raises:
            NotFoundError: there is none, or the caller is another data plane.
        """
        _check_caller(callers, data_plane_id)
        await self._registrations.delete(data_plane_id)
        await self._vault.delete(_secret_alias(data_plane_id))
        _log.info("a data plane has deregistered", extra={"data_plane": data_plane_id})

    async def _credentials(
        self, data_plane_id: str, authorization: AuthorizationMessage | None
    ) -> CallerCredentials | None:
        alias = _secret_alias(data_plane_id)
        if authorization is None:
            await self._vault.delete(alias)
            return None
        if authorization.type != CLIENT_CREDENTIALS:
            raise InvalidInputError(
                field="authorization.type",
                value=authorization.type,
                problem="is not supported",
                remedy=f"Use {CLIENT_CREDENTIALS}, or leave authorization out.",
            )
        for address in (authorization.token_endpoint, authorization.jwks_uri):
            if address is not None:
                self._outbound.check_url(address)
        await self._vault.store(alias, authorization.client_secret or "")
        return CallerCredentials(
            token_endpoint=authorization.token_endpoint or "",
            client_id=authorization.client_id or "",
            secret_alias=alias,
            jwks=authorization.jwks,
            jwks_uri=authorization.jwks_uri,
        )


def base_address(endpoint: str) -> str:
    """A data plane's base address, whether or not it was given with `/dataflows` (EDC wants it with)."""
    return endpoint.rstrip("/").removesuffix(_DATAFLOWS)


def _check_caller(callers: frozenset[str], data_plane_id: str) -> None:
    if data_plane_id not in callers:
        raise NotFoundError(kind="DataPlane", object_id=data_plane_id)


def _secret_alias(data_plane_id: str) -> str:
    return f"data-plane-{hashlib.sha256(data_plane_id.encode()).hexdigest()[:32]}-client-secret"
