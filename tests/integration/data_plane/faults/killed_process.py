"""What the kill tests ask of the proxy and of the journal of a data plane process."""

import base64
import sqlite3
from pathlib import Path
from typing import Final

from tests.eventually import eventually
from tests.fault_proxy import FaultProxy
from tests.integration.data_plane.faults.fault_stage import LARGE

BLOCK_CALLS: Final = ("Put Block", "Put Block From URL")


def acknowledged_blocks(proxy: FaultProxy) -> int:
    """How often the service has acknowledged a block of the large object to its sender."""
    return sum(record.status == 201 for record in proxy.of(*BLOCK_CALLS, blob=LARGE))


def journaled_blocks(folder: Path) -> set[str]:
    """The ids, as they go on the wire, of the blocks that the journal knows as staged."""
    connection = sqlite3.connect(folder / "flows.db")
    rows = connection.execute("SELECT block_nonce, block_index FROM data_flow_block").fetchall()
    connection.close()
    return {base64.b64encode(f"{nonce}{index:06d}".encode()).decode() for nonce, index in rows}


async def journaled(folder: Path, *, at_least: int) -> None:
    """Return once the journal knows so many blocks."""

    async def enough() -> bool:
        return len(journaled_blocks(folder)) >= at_least

    await eventually(enough)


def sent_since(proxy: FaultProxy, first: int) -> set[str]:
    """The ids of the blocks that were sent, counted from this request on."""
    return {record.request.block_id for record in proxy.requests[first:] if record.operation in BLOCK_CALLS}
