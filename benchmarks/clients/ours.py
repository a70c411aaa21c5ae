"""This connector's data plane, told what to do by Data Plane Signaling.

Measured from the start message to the call-back that says COMPLETED, so listing, journal, digests, manifest and
`.complete` are in it. The process runs already, as in use; `idle` is what it takes before the message.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from uuid import uuid4

import httpx

from benchmarks.clients.call_backs import listening_for_outcomes
from benchmarks.clients.data_plane_process import running_data_plane
from benchmarks.errors import BenchmarkError
from benchmarks.measurement import Measurement, ProcessTree
from benchmarks.stage import (
    DESTINATION_ACCOUNT,
    DESTINATION_CONTAINER,
    SOURCE_ACCOUNT,
    SOURCE_CONTAINER,
    Stage,
)
from connector_spi.data_address import AZURE_STORAGE, DataAddress, DataAddressMessage

_ACCEPTED: Final = frozenset({200, 202})


class OurClient:
    """The data plane with these `settings` of `[data_plane]`."""

    is_ours = True

    def __init__(self, name: str, text: str, settings: Mapping[str, str | int]) -> None:
        self.name, self.text = name, text
        self._settings = settings
        self.server_side = settings.get("copy_mode") == "server-side"

    async def copy(self, stage: Stage, folder: Path) -> Measurement:
        """As `Client.copy`."""
        async with (
            listening_for_outcomes() as outcomes,
            running_data_plane(folder, stage, control_plane=outcomes.base, settings=self._settings) as (pid, client),
        ):
            tree = ProcessTree(pid)
            tree.forget_peak()
            idle, cpu, began = tree.rss_bytes(), tree.cpu_seconds(), time.perf_counter()
            await _start(client, stage)
            await outcomes.completed()
            wall = time.perf_counter() - began
            return Measurement(wall, tree.cpu_seconds() - cpu, tree.peak_rss_bytes(), idle)


async def _start(client: httpx.AsyncClient, stage: Stage) -> None:
    answer = await client.post("/dataflows/start", json=start_message(stage))
    if answer.status_code not in _ACCEPTED:
        raise BenchmarkError(f"The data plane answered {answer.status_code} to the start message: {answer.text}")


def start_message(stage: Stage) -> dict[str, object]:
    """A push of the whole source, with a write-only signature in the address."""
    destination = {
        "account": DESTINATION_ACCOUNT,
        "container": DESTINATION_CONTAINER,
        "secret": stage.write_signature(),
        "transferNonce": uuid4().hex,
        "consumerProcessId": f"consumer-{uuid4()}",
    }
    address = DataAddressMessage.of(DataAddress(AZURE_STORAGE, destination))
    source = {"account": SOURCE_ACCOUNT, "container": SOURCE_CONTAINER, "blobPrefix": "data/"}
    return {
        "messageId": str(uuid4()),
        "participantId": "provider",
        "counterPartyId": "consumer",
        "dataspaceContext": "benchmark",
        "processId": str(uuid4()),
        "agreementId": "agreement",
        "datasetId": "asset",
        "profile": "AzureStorage-PUSH",
        "claims": {},
        "dataAddress": address.model_dump(mode="json", by_alias=True, exclude_none=True),
        "metadata": {"source": {"type": AZURE_STORAGE, "properties": source}},
    }
