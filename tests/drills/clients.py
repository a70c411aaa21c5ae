"""What clients of the processes see, and what the processes write down meanwhile."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx

from connector_cli.demo.organisation import Organisation
from tests.end_to_end.stage import Stage
from tests.eventually import eventually

Record = dict[str, Any]


def records_in(log: Path) -> list[Record]:
    """The records of a process; what it printed before it set up its log is left out."""
    lines = log.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def is_audit(record: Record) -> bool:
    """Whether the record tells of an access to the vault."""
    return bool(record["logger"] == "connector.audit.vault")


def is_access_with(outcome: str) -> Callable[[Record], bool]:
    """Tells the accesses to the vault that ended so: the code of an error."""
    return lambda record: is_audit(record) and bool(record["outcome"] == outcome)


async def clients_ask_until(stage: Stage, condition: Callable[[], Awaitable[bool]]) -> None:
    """Return when the condition is true; clients keep all processes busy, so that they need the vault."""

    async def asked() -> bool:
        for side in (stage.provider, stage.consumer):
            await is_served(side)
        await status_at_data_plane(stage.provider, "of nobody")
        return await condition()

    await eventually(asked, seconds=90)


async def everybody_records(stage: Stage, wanted: Callable[[Record], bool]) -> None:
    """Return when each process has written such a record since now."""
    before = _counts(stage, wanted)

    async def have_done() -> bool:
        now = _counts(stage, wanted)
        return all(now[name] > count for name, count in before.items())

    await clients_ask_until(stage, have_done)


async def is_served(side: Organisation) -> bool:
    """Whether a client gets its answer; it may be told to come again, and nothing else."""
    status = await status_at_management(side, side.api_key)
    assert status in {httpx.codes.OK, httpx.codes.SERVICE_UNAVAILABLE}
    return status == httpx.codes.OK


async def status_at_management(side: Organisation, key: str) -> int:
    """What a client with this API key is answered."""
    async with httpx.AsyncClient(base_url=side.management_url, trust_env=False, timeout=30) as http:
        return (await http.get("/transferprocess", headers={"X-Api-Key": key})).status_code


async def status_at_data_plane(side: Organisation, token: str) -> int:
    """What a control plane with this token is answered when it asks for a flow that is not there."""
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=side.data_plane_url, trust_env=False, timeout=30) as http:
        return (await http.get("/dataflows/of-nobody/status", headers=headers)).status_code


def _counts(stage: Stage, wanted: Callable[[Record], bool]) -> dict[str, int]:
    logs = {name: process.log_file for name, process in stage.processes.items()}
    return {name: sum(wanted(record) for record in records_in(log)) for name, log in logs.items()}
