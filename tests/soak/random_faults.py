"""A soak: copies under random faults, and kills, until the time is up. Run it with `make soak`.

Each round is one transfer, drawn from its own seed. `SOAK_MINUTES` says how long; `SOAK_SEED`, with the number that a
failed round printed, begins with that round again.
"""

import asyncio
import logging
import os
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from azure_storage import signed_requests
from connector_cli.azurite import new_account_key, running_azurite
from data_plane.domain.object_copy import BLOCK_SIZES, CopyMode
from tests.conftest import AzuriteForTests
from tests.fault_proxy import faults
from tests.fault_proxy.faults import Fault, named
from tests.integration.data_plane.conftest import CONSUMER, PROVIDER, open_organisations
from tests.integration.data_plane.data_plane_process import data_plane_process
from tests.integration.data_plane.faults.fault_stage import FaultStage, Outcome, open_stage

pytestmark = [pytest.mark.azurite, pytest.mark.slow]

_log = logging.getLogger(__name__)

MINUTES: Final = float(os.environ.get("SOAK_MINUTES", "10"))
BLOCK_BYTES: Final = 64 * 1024
ROUND_SECONDS: Final = 120
KILLED_ROUNDS: Final = 0.1
"""Share of the rounds whose data plane is a process that is killed."""

PASSING: Final[tuple[Fault, ...]] = (
    faults.delayed(0.2),
    faults.dripping(500_000),
    faults.request_cut(1000),
    faults.answer_cut(1000),
    faults.reset_before,
    faults.reset_after,
    faults.refused_before(),
    faults.refused_after(),
    faults.busy(retry_after=1),
    faults.refused_after(503, code="ServerBusy"),
    faults.other_checksums,
    faults.wrong_length(7),
    faults.wrong_length(-7),
)
SILENT: Final[tuple[Fault, ...]] = (faults.silent_before, faults.silent_after)
"""Only for a data plane in this process, whose patience can be made short."""
OPERATIONS: Final = ("", "Get Blob", "Put Block", "Put Block From URL", "Put Block List", "Put Blob", "List Blobs")


@pytest_asyncio.fixture
async def azurite(tmp_path: Path) -> AsyncIterator[AzuriteForTests]:
    """On disk: a long run writes more than memory holds."""
    keys = {account: new_account_key() for account in (PROVIDER, CONSUMER)}
    async with running_azurite(accounts=keys, data_folder=tmp_path / "azurite") as running:
        yield AzuriteForTests(running.endpoint_template, keys)


async def test_random_faults(azurite: AzuriteForTests, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signed_requests, "SILENCE_SECONDS", 1.0)
    first = int(os.environ.get("SOAK_SEED") or random.SystemRandom().randrange(10**9))
    ends_at, seed = time.monotonic() + 60 * MINUTES, first
    outcomes: Counter[str] = Counter()
    while seed == first or time.monotonic() < ends_at:
        _log.info("SOAK_SEED=%d", seed)
        folder = tmp_path / str(seed)
        folder.mkdir()
        outcome = await one_round(azurite, folder, random.Random(seed), monkeypatch)  # noqa: S311 - it is to repeat
        _log.info("SOAK_SEED=%d: %s", seed, outcome.message or "completed")
        outcomes[outcome.code or "completed"] += 1
        seed += 1
    _log.info("%d rounds: %s", seed - first, dict(outcomes))


async def one_round(
    azurite: AzuriteForTests, folder: Path, draw: random.Random, monkeypatch: pytest.MonkeyPatch
) -> Outcome:
    """One transfer: it completes, or nothing but whole objects is there and the reason is that nothing moved."""
    killed = draw.random() < KILLED_ROUNDS
    with monkeypatch.context() as sizes:
        if not killed:
            for mode in CopyMode:
                sizes.setitem(BLOCK_SIZES, mode, BLOCK_BYTES)
        name = f"soak-{folder.name}"
        async with (
            open_organisations(azurite, name) as organisations,
            open_stage(azurite, organisations, folder) as stage,
        ):
            await put_sources(stage, draw, block_bytes=BLOCK_SIZES[CopyMode.STREAMED])
            inject_some(stage, draw, PASSING if killed else PASSING + SILENT)
            stage.configured(copy_mode=draw.choice(("auto", "streamed", "server-side")), no_progress_seconds=30)
            try:
                async with asyncio.timeout(ROUND_SECONDS):
                    outcome = await (run_killed(stage, folder, draw) if killed else stage.run(seconds=ROUND_SECONDS))
            finally:
                met = Counter(record.fault for record in stage.proxy.requests if record.fault)
                _log.info("%d requests; faults: %s", len(stage.proxy.requests), dict(met))
            if outcome.code == "":
                await stage.assert_all_arrived()
            else:
                assert outcome.code in {"NoProgress", "CopyUnavailable"}, outcome
                await stage.assert_only_whole_objects()
            for account, container, owner in (
                (PROVIDER, organisations.source_container, "owner"),
                (CONSUMER, organisations.destination_container, organisations.process_id),
            ):
                await organisations.storage.delete_container(account, container, process_id=owner)
    return outcome


async def put_sources(stage: FaultStage, draw: random.Random, *, block_bytes: int) -> None:
    """Some objects: empty ones, small ones, ones of exactly a block or a few, ones of some bytes more."""
    for number in range(draw.randrange(1, 6)):
        blocks = draw.choice((0, 0, 1, 2, 5))
        size = blocks * block_bytes + draw.choice((0, 0, 1, 5, 3000))
        await stage.organisations.put(f"x/{number}-日本", draw.randbytes(size))


def inject_some(stage: FaultStage, draw: random.Random, among: Sequence[Fault]) -> None:
    """A few faults; each passes after a while."""
    for _ in range(draw.randrange(1, 9)):
        fault, operation = draw.choice(among), draw.choice(OPERATIONS)
        stage.proxy.inject(fault, operation, skip=draw.randrange(6), times=draw.randrange(1, 4))
        _log.info("injected: %s into %s", named(fault), operation or "any")


async def run_killed(stage: FaultStage, folder: Path, draw: random.Random) -> Outcome:
    """The outcome of a flow whose process is killed a few times, each time after some more requests."""
    async with data_plane_process(folder, stage.settings, stage.secrets) as process:
        await stage.start(await process.start())
        for _ in range(draw.randrange(1, 4)):
            enough = len(stage.proxy.requests) + draw.randrange(1, 12)

            async def seen(enough: int = enough) -> None:
                await stage.proxy.until(lambda: len(stage.proxy.requests) >= enough, seconds=ROUND_SECONDS)

            moved = asyncio.ensure_future(seen())
            ended = asyncio.ensure_future(stage.outcome(seconds=ROUND_SECONDS))
            await asyncio.wait({moved, ended}, return_when=asyncio.FIRST_COMPLETED)
            moved.cancel()
            if ended.done():
                break
            ended.cancel()
            await process.kill()
            await process.start()
        return await stage.outcome(seconds=ROUND_SECONDS)
