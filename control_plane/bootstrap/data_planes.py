"""Wires what deals with data planes: who they are, how they are called, and how they prove themselves."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

import httpx

from connector_spi.clock import Clock
from connector_spi.vault import Vault
from connector_spi.vault_access import resolved
from control_plane.adapters.control_plane_registrar import ControlPlaneRegistrar, OfferedCredentials
from control_plane.adapters.data_plane_authorization import (
    CallerAuthorization,
    FetchedToken,
    NoAuthorization,
    SharedToken,
)
from control_plane.adapters.data_plane_directory import DataPlaneDirectory, DataPlaneEndpoint
from control_plane.adapters.data_plane_identity import (
    DataPlaneAuthenticator,
    SharedTokens,
    SignedTokens,
    TokenIssuer,
)
from control_plane.ports.data_plane_identity import DataPlaneIdentity
from control_plane.ports.stores import Stores
from control_plane.services.data_plane_registry import base_address
from control_plane.settings import (
    ControlPlaneSettings,
    DataPlaneEndpointSettings,
    OAuth2ClientSettings,
    TokenIssuerSettings,
)
from outbound_http.jwks import FetchedKeys, InlineKeys, PublicKeys
from outbound_http.oauth2_tokens import ClientCredentials, OAuth2TokenClient


async def open_directory(
    settings: ControlPlaneSettings, stores: Stores, vault: Vault, guarded: httpx.AsyncClient, stack: AsyncExitStack
) -> DataPlaneDirectory:
    """Every data plane of the settings, and what they register; connections are closed with the stack."""
    configured = [await _endpoint(plane, settings, vault, guarded, stack) for plane in settings.data_planes]
    return DataPlaneDirectory(
        configured=tuple(configured),
        registrations=stores.data_plane_registrations,
        guarded=guarded,
        vault=vault,
    )


def data_plane_identity(
    settings: ControlPlaneSettings, stores: Stores, vault: Vault, guarded: httpx.AsyncClient, clock: Clock
) -> DataPlaneIdentity:
    """How data planes that call are told apart."""
    planes = settings.data_planes
    shared = SharedTokens(vault, {plane.id: plane.token_alias for plane in planes if plane.token_issuer is None})
    signed = SignedTokens(
        issuers={
            plane.id: _issuer(plane.token_issuer, settings.participant_id, guarded)
            for plane in planes
            if plane.token_issuer is not None
        },
        configured=frozenset(plane.id for plane in planes),
        registrations=stores.data_plane_registrations,
        audience=settings.participant_id,
        guarded=guarded,
        clock=clock,
    )
    return DataPlaneAuthenticator(shared, signed)


def registrars(
    settings: ControlPlaneSettings, directory: DataPlaneDirectory, vault: Vault
) -> Sequence[ControlPlaneRegistrar]:
    """What makes this control plane known, to each data plane that wants it."""
    return [
        ControlPlaneRegistrar(
            directory=directory,
            data_plane_id=plane.id,
            control_plane_id=settings.participant_id,
            signaling_url=settings.signaling_url,
            credentials=_offered(plane, vault),
            call_seconds=settings.transfer.call_seconds,
        )
        for plane in settings.data_planes
        if plane.register_control_plane
    ]


async def _endpoint(
    plane: DataPlaneEndpointSettings,
    settings: ControlPlaneSettings,
    vault: Vault,
    guarded: httpx.AsyncClient,
    stack: AsyncExitStack,
) -> DataPlaneEndpoint:
    # An operator configures these addresses, so they are not guarded as those of outsiders are.
    transport = httpx.AsyncHTTPTransport(uds=plane.socket) if plane.socket else None
    client = httpx.AsyncClient(transport=transport, timeout=settings.transfer.call_seconds, trust_env=False)
    return DataPlaneEndpoint(
        id=plane.id,
        url=base_address(plane.url) if plane.url else None,
        transfer_types=plane.transfer_types,
        http=await stack.enter_async_context(client),
        authorization=_authorization(plane, vault, guarded),
        shares_vault=plane.shares_vault,
        prepares=plane.provision_with == "data-plane",
        legacy_members=plane.legacy_members,
        source_types=plane.source_types,
    )


def _authorization(plane: DataPlaneEndpointSettings, vault: Vault, guarded: httpx.AsyncClient) -> CallerAuthorization:
    if plane.oauth2 is not None:
        return FetchedToken(OAuth2TokenClient(guarded, _credentials(plane.oauth2, vault)))
    return SharedToken(vault, plane.token_alias) if plane.token_alias else NoAuthorization()


def _credentials(oauth2: OAuth2ClientSettings, vault: Vault) -> ClientCredentials:
    return ClientCredentials(
        token_endpoint=oauth2.token_endpoint,
        client_id=oauth2.client_id,
        secret=_secret(vault, oauth2.client_secret_alias),
        scope=oauth2.scope,
        audience=oauth2.audience,
    )


def _issuer(issuer: TokenIssuerSettings, participant_id: str, guarded: httpx.AsyncClient) -> TokenIssuer:
    keys: PublicKeys
    keys = InlineKeys(issuer.jwks) if issuer.jwks is not None else FetchedKeys(guarded, issuer.jwks_uri or "")
    return TokenIssuer(
        keys=keys,
        audience=issuer.audience or participant_id,
        issuer=issuer.issuer,
        single_use=issuer.single_use,
    )


def _offered(plane: DataPlaneEndpointSettings, vault: Vault) -> OfferedCredentials | None:
    offered = plane.callback_oauth2
    if offered is None:
        return None
    return OfferedCredentials(
        token_endpoint=offered.token_endpoint,
        client_id=offered.client_id,
        secret=_secret(vault, offered.client_secret_alias),
        jwks_uri=plane.own_jwks_uri,
    )


def _secret(vault: Vault, alias: str) -> Callable[[], Awaitable[str]]:
    async def read() -> str:
        return await resolved(vault, alias, purpose="fetch a token for a data plane")

    return read
