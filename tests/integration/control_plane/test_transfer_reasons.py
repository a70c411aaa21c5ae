"""Why a transfer was paused or ended: told to the counterparty, and kept on both sides, without secrets."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from control_plane.domain.transfer_process import TransferError, TransferProcessType
from tests.integration.control_plane.transfer_stage import CONSUMER, PROVIDER, TransferStage, transfer_stage

BOTH = pytest.mark.parametrize("side", [CONSUMER, PROVIDER])
NO_REASON = "No reason was given."


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[TransferStage]:
    async with transfer_stage(tmp_path) as opened:
        yield opened


async def error(stage: TransferStage) -> TransferError | None:
    return (await stage.plane.transfers.get(stage.pid)).error


@BOTH
async def test_our_reasons_are_sent_and_kept(stage: TransferStage, side: TransferProcessType) -> None:
    await stage.reach(side, "STARTED")
    await stage.plane.transfers.suspend(stage.pid, "maintenance")
    await stage.internally("SUSPENDED")
    told = stage.peer.newest("suspension")
    assert (told["code"], told["reason"]) == ("SuspendedByClient", ["maintenance"])
    assert await error(stage) == TransferError(code="SuspendedByClient", message="maintenance")
    await stage.plane.transfers.terminate(stage.pid, "not needed any more")
    await stage.internally("TERMINATED")
    told = stage.peer.newest("termination")
    assert (told["code"], told["reason"]) == ("TerminatedByClient", ["not needed any more"])
    assert await error(stage) == TransferError(code="TerminatedByClient", message="not needed any more")


SAID: list[tuple[dict[str, Any], str]] = [
    ({"code": "7", "reason": ["first", "second"]}, "7: first; second"),
    ({"code": "7", "reason": "one text"}, "7: one text"),
    ({"code": "1"}, f"1: {NO_REASON}"),
    ({"code": "7", "reason": [{"@value": "warum", "@language": "de"}]}, "7: warum"),
    ({"code": "7", "reason": [{"de": "warum", "en": "why"}, {"de": "darum"}]}, "7: why; darum"),
    ({"code": "7", "reason": ["https://a.example/c?sig=PLANTEDsignature%3D"]}, "7: https://a.example/c?***"),
    ({"code": "7", "reason": ["x" * 9000]}, f"7: {'x' * 2000}"),
]


@BOTH
@pytest.mark.parametrize("name", ["suspension", "termination"])
async def test_their_reasons_are_kept(stage: TransferStage, side: TransferProcessType, name: str) -> None:
    for said, kept in SAID:
        await stage.reach(side, "STARTED")
        assert (await stage.say(name, **said)).status_code == 200
        await stage.internally("SUSPENDED" if name == "suspension" else "TERMINATED")
        found = await error(stage)
        assert found is not None
        assert f"{found.code}: {found.message}" == kept


async def test_the_reason_of_a_pause_ends_with_it(stage: TransferStage) -> None:
    await stage.reach(CONSUMER, "STARTED")
    assert (await stage.say("suspension", code="7", reason=["a pause"])).status_code == 200
    await stage.internally("SUSPENDED")
    assert await error(stage) is not None
    assert (await stage.say("start")).status_code == 200
    await stage.internally("STARTED")
    assert await error(stage) is None


async def test_more_reasons_than_anybody_reads_are_refused(stage: TransferStage) -> None:
    await stage.reach(CONSUMER, "STARTED")
    answer = await stage.say("termination", reason=["why"] * 1000)
    assert (answer.status_code, answer.json()["@type"]) == (400, "TransferError")
    assert await stage.shown() == "STARTED"
