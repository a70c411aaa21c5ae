"""The use cases of Data Plane Signaling, and the app that serves them."""

import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI

from data_plane.bootstrap.parts import Parts
from data_plane.bootstrap.workers import Workers
from data_plane.services.credential_intake import CredentialIntake
from data_plane.services.data_flow_service import DataFlowService
from data_plane.services.destination_service import DestinationService
from data_plane.services.keyed_locks import KeyedLocks
from data_plane.settings import DataPlaneSettings
from data_plane.signaling_api.app import GateRules, create_app

_log = logging.getLogger(__name__)


def signaling_app(
    settings: DataPlaneSettings,
    parts: Parts,
    workers: Workers,
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]],
) -> FastAPI:
    """The app; `lifespan` runs the workers for as long as it is served."""
    accepted, creating = _accepted_callback(settings), KeyedLocks()
    intake = CredentialIntake(parts.vault, parts.store)
    flows = DataFlowService(
        store=parts.store,
        intake=intake,
        sources=parts.technologies.sources,
        sinks=parts.technologies.sinks,
        manager=workers.manager,
        owed_wake_up=workers.owed_wake_up,
        clock=parts.clock,
        accepted_callback=accepted,
        creating=creating,
    )
    destinations = DestinationService(
        store=parts.store,
        preparers=parts.technologies.preparers,
        vault=parts.vault,
        intake=intake,
        clock=parts.clock,
        accepted_callback=accepted,
        creating=creating,
    )

    async def token() -> str:
        return await parts.vault.resolve(settings.signaling_token_alias)

    return create_app(
        flows=flows,
        destinations=destinations,
        checks={"database": parts.store.ping},
        gate=GateRules(token=None if settings.insecure_no_auth else token, max_body_bytes=settings.max_body_bytes),
        lifespan=lifespan,
    )


def _accepted_callback(settings: DataPlaneSettings) -> Callable[[str | None], str]:
    """Call-back addresses come from outside; only those that the operator listed are called."""
    accepted = {url.rstrip("/") for url in (*settings.accepted_callback_urls, settings.control_plane_url) if url}

    def base(sent: str | None) -> str:
        if sent and sent.rstrip("/") in accepted:
            return sent.rstrip("/")
        if sent:
            _log.info("the call-back address of a message is not an accepted one; the configured one is used")
        return ""

    return base
