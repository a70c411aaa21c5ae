"""azure-storage-blob, the way its documentation shows: download in chunks, upload what comes."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Final, Literal

from azure_storage.session import STORAGE_API_VERSION
from benchmarks.measurement import Measurement, measured_command
from benchmarks.stage import Stage

CONCURRENCY: Final = 8
_REPOSITORY: Final = Path(__file__).resolve().parents[2]


class SdkClient:
    """The SDK in a Python process of its own; loading it is not counted. `kind`: its `sync` or its `aio` form."""

    is_ours = False
    server_side = False

    def __init__(self, kind: Literal["sync", "aio"]) -> None:
        self._kind = kind
        self.name = "sdk" if kind == "sync" else "sdk-aio"
        self.text = f"azure-storage-blob ({kind}), {CONCURRENCY} at once"

    async def copy(self, stage: Stage, folder: Path) -> Measurement:
        """As `Client.copy`."""
        job = {
            "source": stage.source_url(),
            "destination": stage.destination_url(),
            "api_version": STORAGE_API_VERSION,
            "concurrency": CONCURRENCY,
            "objects": stage.shape.objects,
        }
        command = [sys.executable, "-m", "benchmarks.clients.sdk_program", self._kind]
        return await asyncio.to_thread(
            measured_command,
            command,
            environment={"PYTHONPATH": str(_REPOSITORY)},
            folder=folder,
            job=json.dumps(job),
        )
