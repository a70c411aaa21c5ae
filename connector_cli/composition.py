"""Composes the processes: opens the vault, builds the planes, serves their applications until a signal comes."""

import asyncio
import logging
import secrets
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount

from connector_cli.checks import (
    PUBLIC_LISTENER,
    check_for_connector,
    check_for_data_plane,
    listeners_of,
    listeners_of_data_plane,
)
from connector_cli.configuration import counterparties_of
from connector_cli.needed_secrets import check_secrets, secrets_of_connector, secrets_of_data_plane
from connector_cli.opened_vault import OpenedVault, opened_vault
from connector_cli.serving import Listener, bound_socket, private_socket, serve, stop_on_signal
from connector_cli.settings import EMBEDDED_ID, ConnectorSettings, DataPlaneSection, ListenerSection, ProtocolSection
from connector_cli.storage_start import with_located_storage
from connector_spi.clock import SystemClock
from connector_spi.errors import SecretNotFoundError
from connector_spi.vault import Vault
from connector_spi.vault_access import resolved
from control_plane.bootstrap import ControlPlane, build_control_plane
from control_plane.protocol_api.versions import version_route
from control_plane.settings import ControlPlaneSettings, DataPlaneEndpointSettings
from data_plane.bootstrap import DataPlane, build_data_plane
from data_plane.settings import DataPlaneSettings
from management_api.app import create_app

logger = logging.getLogger(__name__)

EMBEDDED_TOKEN_ALIAS: Final = "embedded-data-plane-token"


def run_connector(settings: ConnectorSettings) -> None:
    """Run the control plane, its management API and, where that is set, an embedded data plane, until a signal.

    Raises:
        InvalidConfigurationError, ConfigurationError: a setting cannot work, or the vault lacks a secret.
        VaultForbiddenError, VaultUnavailableError, StoreUnavailableError: vault or database could not be opened.
    """
    plane_settings = control_plane_settings(settings)
    asyncio.run(_connector(settings, plane_settings))


def run_data_plane(settings: ConnectorSettings) -> None:
    """Run a data plane on its own until a signal.

    Raises:
        InvalidConfigurationError, ConfigurationError, VaultForbiddenError, VaultUnavailableError,
        StoreUnavailableError: as for `run_connector`.
    """
    check_for_data_plane(settings)
    asyncio.run(_data_plane(settings))


def control_plane_settings(settings: ConnectorSettings) -> ControlPlaneSettings:
    """The control plane's settings, without an embedded data plane.

    Raises:
        InvalidConfigurationError: as for `checks.check_for_connector`.
    """
    check_for_connector(settings)
    return ControlPlaneSettings(
        participant_id=settings.participant.id if settings.participant else "",
        database_url=settings.database.url,
        protocol_url=settings.protocol.advertised_url,
        signaling_url=settings.signaling.advertised_url,
        protocol_metadata=settings.protocol.metadata,
        strict_pids=settings.protocol.strict_pids,
        identity=settings.identity,
        counterparties=counterparties_of(settings),
        data_planes=settings.data_planes,
        outbound=settings.outbound,
        storage=settings.storage,
        policy_plugins=settings.policy_plugins,
        transfer=settings.transfer,
        negotiation=settings.negotiation,
        catalog=settings.catalog,
    )


async def _connector(settings: ConnectorSettings, plane_settings: ControlPlaneSettings) -> None:
    async with stop_on_signal() as stop, AsyncExitStack() as stack:
        sockets = {name: _socket(name, section, stack) for name, section in listeners_of(settings).items()}
        actor = f"connector {plane_settings.participant_id}"
        opened = await stack.enter_async_context(opened_vault(settings, actor=actor))
        vault = opened.vault
        await check_secrets(settings, vault, secrets_of_connector(settings))
        settings = await with_located_storage(settings, vault)
        plane_settings = plane_settings.model_copy(update={"storage": settings.storage})
        listeners: list[Listener] = []
        if settings.embedded_data_plane:
            endpoint, own = await _embedded_data_plane(settings, opened, sockets, stack)
            listeners += own
            data_planes = (*plane_settings.data_planes, endpoint)
            plane_settings = plane_settings.model_copy(update={"data_planes": data_planes})
        elif not plane_settings.data_planes:
            logger.info("no data plane is configured: this connector can receive data, and provide none")
        plane = await stack.enter_async_context(
            build_control_plane(plane_settings, vault=vault, clock=SystemClock(), entra=opened.identities)
        )
        apps = {
            "management": _management_app(settings, plane, vault),
            "protocol": _mounted(settings.protocol, plane),
            "signaling": plane.signaling_app,
        }
        listeners += [Listener(name=name, app=app, socket=sockets[name]) for name, app in apps.items()]
        await serve(listeners, stop)


def _management_app(settings: ConnectorSettings, plane: ControlPlane, vault: Vault) -> FastAPI:
    async def api_key() -> str:
        return await resolved(vault, settings.management.api_key_alias, purpose="check an API key")

    open_to_all = settings.management.insecure_no_auth
    return create_app(plane, api_key=None if open_to_all else api_key, base_path=settings.management.path)


async def _data_plane(settings: ConnectorSettings) -> None:
    async with stop_on_signal() as stop, AsyncExitStack() as stack:
        sockets = {name: _socket(name, each, stack) for name, each in listeners_of_data_plane(settings).items()}
        actor = f"data-plane {settings.data_plane.data_plane_id}"
        opened = await stack.enter_async_context(opened_vault(settings, actor=actor))
        await check_secrets(settings, opened.vault, secrets_of_data_plane(settings))
        settings = await with_located_storage(settings, opened.vault)
        own = settings.data_plane.to_data_plane(settings.storage)
        plane = await stack.enter_async_context(_running_data_plane(own, opened))
        listener = Listener(name="data plane", app=plane.app, socket=sockets["data_plane"])
        await serve([listener, *_public_listener(plane, sockets)], stop)


def _public_listener(plane: DataPlane, sockets: Mapping[str, socket.socket]) -> list[Listener]:
    """/public on an address of its own, so that others reach it and not the signaling messages."""
    bound = sockets.get(PUBLIC_LISTENER)
    return [Listener(name="public", app=plane.public_app, socket=bound)] if bound else []


async def _embedded_data_plane(
    settings: ConnectorSettings, opened: OpenedVault, sockets: Mapping[str, socket.socket], stack: AsyncExitStack
) -> tuple[DataPlaneEndpointSettings, list[Listener]]:
    """The data plane in this process, behind a Unix socket: the same messages as to any other."""
    await _ensure_token(opened.vault, EMBEDDED_TOKEN_ALIAS)
    own = settings.data_plane.to_data_plane(
        settings.storage,
        control_plane_url=settings.signaling.local_url,
        signaling_token_alias=EMBEDDED_TOKEN_ALIAS,
        callback_token_alias=EMBEDDED_TOKEN_ALIAS,
        receipt_signing_key_alias=_receipt_key_alias(settings),
        insecure_no_auth=False,
    )
    path, bound = stack.enter_context(private_socket())
    plane = await stack.enter_async_context(_running_data_plane(own, opened))
    endpoint = DataPlaneEndpointSettings(
        id=EMBEDDED_ID,
        url="http://data-plane",
        socket=str(path),
        token_alias=EMBEDDED_TOKEN_ALIAS,
        transfer_types=_embedded_transfer_types(settings),
        provision_with=settings.data_plane.provision_with,
    )
    listener = Listener(name="embedded data plane", app=plane.app, socket=bound)
    return endpoint, [listener, *_public_listener(plane, sockets)]


def _embedded_transfer_types(settings: ConnectorSettings) -> tuple[str, ...]:
    """What the embedded data plane serves: pulls over HTTP only where they are served, or fetched."""
    own = settings.data_plane
    types = ("AzureStorage-PUSH", "AzureStorage-PULL")
    return (*types, "HttpData-PULL") if own.public or own.provision_with == "data-plane" else types


def _receipt_key_alias(settings: ConnectorSettings) -> str:
    """The participant's key, unless the operator chose another one or none."""
    own = settings.data_plane
    chosen = "receipt_signing_key_alias" in own.model_fields_set
    return own.receipt_signing_key_alias if chosen else settings.identity.signing_key_alias


@asynccontextmanager
async def _running_data_plane(settings: DataPlaneSettings, opened: OpenedVault) -> AsyncIterator[DataPlane]:
    """The data plane while its workers run."""
    async with (
        build_data_plane(settings, vault=opened.vault, clock=SystemClock(), entra=opened.identities) as plane,
        plane.app.router.lifespan_context(plane.app),
    ):
        yield plane


async def _ensure_token(vault: Vault, alias: str) -> None:
    try:
        await resolved(vault, alias, purpose="start")
    except SecretNotFoundError:
        await vault.store(alias, secrets.token_urlsafe(32))


def _socket(name: str, section: ListenerSection | DataPlaneSection, stack: AsyncExitStack) -> socket.socket:
    return stack.enter_context(bound_socket(section.host, section.port, setting=name))


def _mounted(section: ProtocolSection, plane: ControlPlane) -> Starlette:
    """The protocol below its path; its version document stands at the server's root as well (RFC 8615)."""
    public_path = urlsplit(section.advertised_url).path
    own = [version_route(plane.versions, public_path)] if section.path else []
    return Starlette(routes=[*own, Mount(section.path or "/", plane.protocol_app)])
