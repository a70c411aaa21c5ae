"""The control planes of a data plane: who calls, where call-backs go, where it registers itself."""

from collections.abc import Awaitable, Callable, Iterator

import httpx

from connector_spi.clock import Clock
from connector_spi.outbound_addresses import OutboundAddressPolicy
from connector_spi.vault import Vault
from connector_spi.vault_access import resolved
from data_plane.adapters.callback_targets import CallbackTargets, ConfiguredControlPlane
from data_plane.adapters.control_plane_directory_http import HttpControlPlaneDirectory, OwnRegistration
from data_plane.adapters.jwt_callers import JwtCallers, JwtRules
from data_plane.domain.registered_control_plane import RegisteredControlPlane
from data_plane.ports.control_plane_registry import ControlPlaneRegistry
from data_plane.services.callers import AnyOf, CallerCheck, SharedToken
from data_plane.services.registrar import Registrar
from data_plane.services.retry import Backoff
from data_plane.settings import DataPlaneSettings
from outbound_http.oauth2_tokens import ClientCredentials


def outbound_policy(settings: DataPlaneSettings) -> OutboundAddressPolicy:
    """Which addresses that came with a message may be called."""
    return OutboundAddressPolicy(**settings.outbound.model_dump())


def callback_targets(
    settings: DataPlaneSettings,
    vault: Vault,
    registry: ControlPlaneRegistry,
    *,
    plain: httpx.AsyncClient,
    guarded: httpx.AsyncClient,
) -> CallbackTargets:
    """Where call-backs go."""
    tokens = settings.control_plane_tokens
    credentials = None
    if tokens.token_endpoint:
        credentials = ClientCredentials(
            token_endpoint=tokens.token_endpoint,
            client_id=tokens.client_id,
            secret=_resolving(vault, tokens.client_secret_alias),
            scope=tokens.scope,
        )
    configured = ConfiguredControlPlane(
        base=settings.control_plane_url, token_alias=settings.callback_token_alias, credentials=credentials
    )
    return CallbackTargets(configured=configured, registry=registry, vault=vault, plain=plain, guarded=guarded)


def caller_check(
    settings: DataPlaneSettings,
    vault: Vault,
    registry: ControlPlaneRegistry,
    *,
    guarded: httpx.AsyncClient,
    clock: Clock,
) -> CallerCheck | None:
    """Who may call; None: everybody on this machine."""
    if settings.insecure_no_auth:
        return None
    tokens = settings.control_plane_tokens
    configured = None
    if tokens.control_plane_id:
        configured = RegisteredControlPlane(
            id=tokens.control_plane_id, endpoint=settings.control_plane_url, jwks_uri=tokens.jwks_uri
        )
    rules = JwtRules(
        audience=settings.data_plane_id,
        configured=configured,
        once=settings.signed_tokens_once,
        unsigned_allowed=settings.insecure_unsigned_tokens,
    )
    signed = JwtCallers(rules, registry, guarded=guarded, clock=clock)
    if not settings.signaling_token_alias:
        return signed
    return AnyOf(SharedToken(_resolving(vault, settings.signaling_token_alias)), signed)


def registrars(
    settings: DataPlaneSettings, vault: Vault, *, profiles: tuple[str, ...], client: httpx.AsyncClient
) -> Iterator[Registrar]:
    """What keeps this data plane known."""
    backoff = Backoff(first_seconds=settings.retry_first_seconds, cap_seconds=settings.retry_cap_seconds)
    for told in settings.registrations:
        facts = told.model_dump(exclude={"every_seconds", "leave_at_stop"})
        own = OwnRegistration(**{**facts, "profiles": told.profiles or profiles}, data_plane_id=settings.data_plane_id)
        yield Registrar(
            directory=HttpControlPlaneDirectory(own, client=client, vault=vault),
            every_seconds=told.every_seconds,
            leave_at_stop=told.leave_at_stop,
            backoff=backoff,
        )


def _resolving(vault: Vault, alias: str) -> Callable[[], Awaitable[str]]:
    async def secret() -> str:
        return await resolved(vault, alias, purpose="know and call control planes")

    return secret
