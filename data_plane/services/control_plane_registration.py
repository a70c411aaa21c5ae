"""ControlPlaneRegistration: control planes make themselves known, and leave."""

import hashlib
import secrets
from dataclasses import dataclass

from connector_spi.errors import InvalidInputError, NotFoundError, UnauthenticatedError
from connector_spi.outbound_addresses import OutboundAddressPolicy
from connector_spi.plane_registration import CLIENT_CREDENTIALS, ControlPlaneRegistrationMessage
from connector_spi.vault import Vault
from data_plane.domain.registered_control_plane import RegisteredControlPlane
from data_plane.ports.control_plane_registry import ControlPlaneRegistry
from data_plane.ports.secret_ledger import SecretLedger, SecretOwner
from data_plane.services.callers import CONFIGURED


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlaneRegistration:
    """Use cases of the signaling API. `caller` may change its own registration; the configured one, every one."""

    known: ControlPlaneRegistry
    vault: Vault
    ledger: SecretLedger
    policy: OutboundAddressPolicy
    """Every address of a registration is called later: it has to be one that may be."""

    async def register(self, message: ControlPlaneRegistrationMessage, caller: str) -> None:
        """Store the registration in full, in the place of an earlier one.

        Raises:
            UnauthenticatedError: the caller is another registered control plane.
            InvalidInputError, ForbiddenAddressError: the message is wrong, or names an address that may not be called.
        """
        _check_own(message.controlplane_id, caller)
        self.policy.check_url(message.endpoint)
        earlier = await self._alias_of(message.controlplane_id)
        alias = earlier or _new_alias(message.controlplane_id)
        registered, secret = _registered(message, alias)
        self._check_addresses(registered)
        if secret:
            await self.ledger.note(SecretOwner.CONTROL_PLANE, message.controlplane_id, [alias])
            await self.vault.store(alias, secret)
        await self.known.save(registered)
        if earlier and not secret:
            await self.vault.delete(earlier)

    async def leave(self, control_plane_id: str, caller: str) -> None:
        """Forget the registration. Its flows stay, and their call-backs wait until it is back.

        Raises:
            NotFoundError: there is none.
            UnauthenticatedError: as for `register`.
        """
        _check_own(control_plane_id, caller)
        alias = await self._alias_of(control_plane_id)
        if not await self.known.delete(control_plane_id):
            raise NotFoundError(kind="Control plane", object_id=control_plane_id)
        if alias:
            await self.vault.delete(alias)

    async def _alias_of(self, control_plane_id: str) -> str:
        """Where the secret of its present registration rests; empty when there is none."""
        known = await self.known.find(control_plane_id)
        return known.secret_alias if known is not None else ""

    def _check_addresses(self, registered: RegisteredControlPlane) -> None:
        for address in (registered.token_endpoint, registered.jwks_uri):
            if address:
                self.policy.check_url(address)


def _registered(message: ControlPlaneRegistrationMessage, alias: str) -> tuple[RegisteredControlPlane, str]:
    """What is stored, and the secret that goes to the vault."""
    authorization = message.authorization
    plain = RegisteredControlPlane(id=message.controlplane_id, endpoint=message.endpoint.rstrip("/"))
    if authorization is None:
        return plain, ""
    if authorization.type != CLIENT_CREDENTIALS:
        raise InvalidInputError(
            field="authorization.type",
            value=authorization.type,
            problem="is no authorization profile of this data plane",
            remedy=f"It knows {CLIENT_CREDENTIALS}.",
        )
    registered = RegisteredControlPlane(
        id=plain.id,
        endpoint=plain.endpoint,
        token_endpoint=authorization.token_endpoint or "",
        client_id=authorization.client_id or "",
        secret_alias=alias,
        jwks=authorization.jwks,
        jwks_uri=authorization.jwks_uri or "",
    )
    return registered, authorization.client_secret or ""


def _check_own(control_plane_id: str, caller: str) -> None:
    if caller not in {CONFIGURED, control_plane_id}:
        raise UnauthenticatedError("A control plane may register and leave under its own id alone.")


def _new_alias(control_plane_id: str) -> str:
    """One of this registration alone: other data planes may know the same control plane, and share the vault."""
    known_by = hashlib.sha256(control_plane_id.encode()).hexdigest()[:40]
    return f"control-plane-{known_by}-{secrets.token_hex(8)}-client-secret"
