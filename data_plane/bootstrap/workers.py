"""The loops of a data plane: flows that are copied, work that is owed, answers that are forgotten."""

import os
import socket
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from connector_spi.orphan_sweep import OrphanSweep
from data_plane.bootstrap.parts import Parts
from data_plane.domain.object_copy import CopyMode
from data_plane.services.answer_retention import AnswerRetention
from data_plane.services.bandwidth import Bandwidth
from data_plane.services.byte_budget import ByteBudget
from data_plane.services.copy_engine import CopyEngine, CopyRules
from data_plane.services.data_flow_manager import DataFlowManager
from data_plane.services.flow_worker import FlowWorker, WorkerLimits
from data_plane.services.orphaned_secrets import OrphanedSecrets
from data_plane.services.owed_pieces import Holds, OwedPieces, Patience
from data_plane.services.owed_work import OwedWorkLoop
from data_plane.services.progress_reporter import ProgressReporter
from data_plane.services.retry import Backoff
from data_plane.services.secret_sweeper import SecretSweeper
from data_plane.services.wake_up import WakeUp
from data_plane.settings import DataPlaneSettings


class Loop(Protocol):
    """Works until it is cancelled."""

    async def run(self) -> None:
        """Work."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """What runs while the app is served, and how messages reach it."""

    manager: DataFlowManager
    owed_wake_up: WakeUp
    budget: ByteBudget
    """Of the bytes in memory, for flows that are copied and for objects that are received."""
    loops: tuple[Loop, ...]


def workers_of(settings: DataPlaneSettings, parts: Parts) -> Workers:
    """The loops, not started yet."""
    backoff = Backoff(first_seconds=settings.retry_first_seconds, cap_seconds=settings.retry_cap_seconds)
    owed_wake_up = WakeUp()
    budget = ByteBudget(settings.byte_budget_bytes)
    manager = _manager(settings, parts, backoff, owed_wake_up, budget)
    owed_work = OwedWorkLoop(
        store=parts.store,
        pieces=_owed_pieces(settings, parts, manager),
        clock=parts.clock,
        backoff=backoff,
        poll_seconds=settings.poll_seconds,
        wake_up=owed_wake_up,
    )
    retention = AnswerRetention(parts.store, parts.clock, timedelta(seconds=settings.answer_retention_seconds))
    loops: tuple[Loop, ...] = (manager, owed_work, retention, *_secret_sweepers(settings, parts))
    return Workers(manager=manager, owed_wake_up=owed_wake_up, budget=budget, loops=loops)


def _secret_sweepers(settings: DataPlaneSettings, parts: Parts) -> tuple[SecretSweeper, ...]:
    """One, unless the operator turned it off."""
    if not settings.orphaned_secret_seconds:
        return ()
    waiting = timedelta(seconds=settings.orphaned_secret_seconds)
    orphans = OrphanedSecrets(
        vault=parts.vault, ledger=parts.ledger, store=parts.store, known=parts.registry, clock=parts.clock
    )
    sweep = OrphanSweep(find=orphans.find, vault=parts.vault, clock=parts.clock, waiting=waiting)
    return (SecretSweeper(sweep, orphans, waiting),)


def _owed_pieces(settings: DataPlaneSettings, parts: Parts, manager: DataFlowManager) -> OwedPieces:
    return OwedPieces(
        control_plane=parts.control_plane,
        sinks=parts.technologies.sinks,
        readiness=parts.readiness,
        intake=parts.intake,
        journal=parts.journal,
        clock=parts.clock,
        patience=Patience(
            marker=timedelta(seconds=settings.failed_marker_seconds),
            callback=timedelta(seconds=settings.callback_patience_seconds),
            readiness=timedelta(seconds=settings.readiness_patience_seconds),
        ),
        holds=Holds(
            after_answer=timedelta(seconds=settings.callback_hold_seconds),
            after_start=timedelta(seconds=settings.completed_hold_seconds),
        ),
        on_ready=manager.wake,
    )


def _manager(
    settings: DataPlaneSettings, parts: Parts, backoff: Backoff, owed_wake_up: WakeUp, budget: ByteBudget
) -> DataFlowManager:
    engine = CopyEngine(
        sources=parts.technologies.sources,
        sinks=parts.technologies.sinks,
        store=parts.store,
        journal=parts.journal,
        budget=budget,
        bandwidth=Bandwidth(settings.process_bytes_per_second),
        rules=CopyRules(
            max_objects=settings.max_objects_in_parallel,
            max_blocks=settings.max_blocks_in_parallel,
            max_requests=settings.max_requests_in_parallel,
            mode=None if settings.copy_mode == "auto" else CopyMode(settings.copy_mode),
            on_source_change=settings.on_source_change,
            flow_bytes_per_second=settings.flow_bytes_per_second,
        ),
        lease_seconds=settings.lease_seconds,
    )
    worker = FlowWorker(
        store=parts.store,
        engine=engine,
        reporter=ProgressReporter(parts.control_plane, settings.progress_seconds),
        clock=parts.clock,
        limits=WorkerLimits(
            lease=settings.lease_seconds,
            heartbeat=settings.heartbeat_seconds,
            no_progress=settings.no_progress_seconds,
            flow=settings.max_flow_seconds,
        ),
        backoff=backoff,
    )
    return DataFlowManager(
        parts.store,
        worker,
        worker_id=settings.worker_name or f"{socket.gethostname()}-{os.getpid()}",
        max_flows=settings.max_flows,
        poll_seconds=settings.poll_seconds,
        on_flow_ended=owed_wake_up.set,
    )
