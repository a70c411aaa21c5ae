"""rclone, from azureblob to azureblob; signatures go by the environment, not by the command line."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.measurement import Measurement, measured_command
from benchmarks.stage import DESTINATION_CONTAINER, SOURCE_CONTAINER, Stage
from benchmarks.tools import find_rclone

TUNED_FLAGS: Final = (
    "--transfers=16",
    "--checkers=16",
    "--azureblob-chunk-size=8M",
    "--azureblob-upload-concurrency=8",
    "--azureblob-no-head-object",
)
_DESTINATION_PERMISSIONS: Final = "rwl"
"""rclone lists the destination and looks at what it has written."""


class RcloneClient:
    """rclone with its defaults, or with `flags`."""

    is_ours = False
    server_side = False

    def __init__(self, name: str, flags: Sequence[str] = ()) -> None:
        self.name = name
        self._flags = flags
        self.text = f"rclone {' '.join(flags)}" if flags else "rclone with its defaults"

    async def copy(self, stage: Stage, folder: Path) -> Measurement:
        """As `Client.copy`."""
        environment = {
            "RCLONE_CONFIG": "",
            "RCLONE_CONFIG_FROM_TYPE": "azureblob",
            "RCLONE_CONFIG_FROM_SAS_URL": stage.source_url(),
            "RCLONE_CONFIG_TO_TYPE": "azureblob",
            "RCLONE_CONFIG_TO_SAS_URL": stage.destination_url(_DESTINATION_PERMISSIONS),
        }
        ends = [f"from:{SOURCE_CONTAINER}", f"to:{DESTINATION_CONTAINER}"]
        command = [str(find_rclone()), "copy", *ends, "--retries=1", *self._flags]
        return await asyncio.to_thread(measured_command, command, environment=environment, folder=folder)
