"""The use cases of Data Plane Signaling, and the apps that serve them."""

import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

from fastapi import FastAPI

from connector_spi.data_address import AZURE_STORAGE
from data_plane.adapters.azure_addresses import narrowed_to
from data_plane.adapters.did_client_identity import DidClientIdentity
from data_plane.bootstrap.control_planes import caller_check, outbound_policy
from data_plane.bootstrap.inbox import inbox_writes
from data_plane.bootstrap.parts import Parts
from data_plane.bootstrap.workers import Workers
from data_plane.services.control_plane_registration import ControlPlaneRegistration
from data_plane.services.data_flow_service import DataFlowService
from data_plane.services.flow_creation import FlowCreation
from data_plane.services.keyed_locks import KeyedLocks
from data_plane.services.new_flows import NewFlows
from data_plane.services.public_reads import PublicReads
from data_plane.services.received_addresses import ReceivedAddresses
from data_plane.services.renewed_secret import RenewedSecrets
from data_plane.services.token_renewal import TokenRenewal
from data_plane.settings import DataPlaneSettings
from data_plane.signaling_api.app import GateRules, UseCases, create_app, create_public_app
from outbound_http.did_web import DidWebKeys

_log = logging.getLogger(__name__)


def signaling_apps(
    settings: DataPlaneSettings,
    parts: Parts,
    workers: Workers,
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]],
) -> tuple[FastAPI, FastAPI]:
    """The app, and /public alone; `lifespan` runs the workers for as long as the first is served."""
    callers = caller_check(settings, parts.vault, parts.registry, guarded=parts.guarded, clock=parts.clock)
    use_cases = _use_cases(settings, parts, workers)
    app = create_app(
        use_cases,
        checks={"database": parts.store.ping},
        gate=GateRules(callers=callers, max_body_bytes=settings.max_body_bytes),
        lifespan=lifespan,
    )
    return app, create_public_app(use_cases)


def _use_cases(settings: DataPlaneSettings, parts: Parts, workers: Workers) -> UseCases:
    new_flows = NewFlows(
        profiles=parts.profiles,
        sources=parts.technologies.sources,
        sinks=parts.technologies.sinks,
        preparers=parts.preparers,
        granters=parts.granters,
        inboxes=parts.inboxes,
        datasets=parts.datasets,
        clock=parts.clock,
        accepted_callback=_accepted_callback(settings),
    )
    flows = DataFlowService(
        store=parts.store,
        intake=parts.intake,
        received=ReceivedAddresses(new_flows),
        readiness=parts.readiness,
        manager=workers.manager,
        owed_wake_up=workers.owed_wake_up,
        clock=parts.clock,
    )
    public = bool(settings.public_url)
    return UseCases(
        creation=_creation(settings, parts, new_flows, flows),
        flows=flows,
        registration=ControlPlaneRegistration(
            known=parts.registry, vault=parts.vault, ledger=parts.ledger, policy=outbound_policy(settings)
        ),
        reads=_reads(settings, parts) if public else None,
        writes=inbox_writes(settings, parts, workers.budget) if public else None,
        renewal=_renewal(settings, parts) if public else None,
    )


def _creation(settings: DataPlaneSettings, parts: Parts, new_flows: NewFlows, flows: DataFlowService) -> FlowCreation:
    return FlowCreation(
        store=parts.store,
        intake=parts.intake,
        new_flows=new_flows,
        readiness=parts.readiness,
        flows=flows,
        clock=parts.clock,
        creating=KeyedLocks(),
        answer_within_seconds=settings.answer_within_seconds,
        start_resumes_suspended=settings.start_resumes_suspended,
    )


def _reads(settings: DataPlaneSettings, parts: Parts) -> PublicReads:
    return PublicReads(
        store=parts.store,
        sources=parts.technologies.sources,
        clock=parts.clock,
        max_reads=settings.max_public_reads,
        max_reads_each=settings.max_public_reads_each,
        narrowing={AZURE_STORAGE: narrowed_to},
    )


def _renewal(settings: DataPlaneSettings, parts: Parts) -> TokenRenewal:
    keys = DidWebKeys(parts.guarded, http_hosts=settings.did_http_hosts)
    return TokenRenewal(
        store=parts.store,
        kept=RenewedSecrets(parts.vault, parts.store),
        identity=DidClientIdentity(keys, parts.clock),
        clock=parts.clock,
        token_life=timedelta(seconds=settings.public_token_seconds),
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
