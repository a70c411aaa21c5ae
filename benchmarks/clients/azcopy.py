"""AzCopy: down to a folder in memory and up again."""

import asyncio
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

from benchmarks.measurement import Measurement, measured_command
from benchmarks.stage import Stage
from benchmarks.tools import LIBRARIES, find_azcopy

_MEMORY_FOLDER: Final = Path("/dev/shm")  # noqa: S108 - a private folder is made in it
_DOWN_AND_UP: Final = (
    '"$AZCOPY" copy "$FROM" "$THROUGH" --from-to=BlobLocal --recursive && '
    '"$AZCOPY" copy "$THROUGH/*" "$TO" --from-to=LocalBlob --recursive'
)
_SERVICE_TO_SERVICE: Final = (
    '"$AZCOPY" copy "$FROM" "$TO" --from-to=BlobBlob --recursive --s2s-preserve-access-tier=false'
)


class AzCopyClient:
    """AzCopy through this machine, or from service to service (`server_side`)."""

    is_ours = False

    def __init__(self, *, server_side: bool = False) -> None:
        self.server_side = server_side
        self._script = _SERVICE_TO_SERVICE if server_side else _DOWN_AND_UP
        self.name = "azcopy-server-side" if server_side else "azcopy"
        self.text = "AzCopy, service to service" if server_side else "AzCopy, down to memory and up again"

    async def copy(self, stage: Stage, folder: Path) -> Measurement:
        """As `Client.copy`."""
        with tempfile.TemporaryDirectory(dir=_MEMORY_FOLDER) as through:
            source, _, query = stage.source_url().partition("?")
            environment = {
                "LD_LIBRARY_PATH": str(LIBRARIES),
                "AZCOPY": str(find_azcopy()),
                "FROM": f"{source}/*?{query}",
                "TO": stage.destination_url("rwl"),
                "THROUGH": through,
                "AZCOPY_LOG_LOCATION": str(folder),
                "AZCOPY_JOB_PLAN_LOCATION": str(folder),
                "AZCOPY_DISABLE_SYSLOG": "true",
                "AZCOPY_SKIP_VERSION_CHECK": "true",
            }
            command = [shutil.which("sh") or os.fspath("/bin/sh"), "-c", self._script]
            return await asyncio.to_thread(measured_command, command, environment=environment, folder=folder)
