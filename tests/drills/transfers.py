"""Transfers of many small objects, watched where they arrive: in the consumer's storage, with its owner's eyes."""

import hashlib
import os
import uuid
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from azure.core.exceptions import ResourceNotFoundError

from connector_cli.demo.sample_files import digest_of
from connector_cli.management_client import ManagementError
from tests.drills.pace import Pace, Turnstile
from tests.end_to_end.stage import Stage
from tests.eventually import eventually

_OBJECT_BYTES: Final = 64 * 1024
_SECONDS: Final = 90


@dataclass(frozen=True, slots=True)
class Transfer:
    """A transfer that runs. `digests`: SHA-256 of each object, by name. `turnstile`: what its objects pass."""

    stage: Stage
    process_id: str
    container: str
    digests: dict[str, str]
    turnstile: Turnstile

    async def arrived(self) -> int:
        """How many objects are there by now."""
        async with self.stage.destination(self.container) as container:
            try:
                return len([name async for name in container.list_blob_names() if name in self.digests])
            except ResourceNotFoundError:
                return 0

    async def more_arrive(self, count: int = 3) -> None:
        """Let so many more through, and return when they are there; the transfer stays in its middle."""
        wanted = await self.arrived() + count
        assert wanted < len(self.digests), "the transfer is too small for the drill"

        async def are_there() -> bool:
            missing = wanted - await self.arrived()
            if missing > 0:
                await self._goes_on()
                # Again and again: what storage refuses has passed the turnstile, too.
                self.turnstile.let_through()
            return missing <= 0

        await eventually(are_there, seconds=_SECONDS)

    async def _goes_on(self) -> None:
        """It was not terminated, as far as anybody can be asked now."""
        with suppress(ManagementError):
            async with self.stage.consumer.client() as consumer:
                process = await consumer.transfer(self.process_id)
            assert process["state"] not in {"TERMINATING", "TERMINATED"}, process

    async def all_arrive(self) -> None:
        """Hold nothing back, and return when all objects are there, whatever anybody knows of it."""
        self.turnstile.open()

        async def are_there() -> bool:
            return await self.arrived() == len(self.digests)

        await eventually(are_there, seconds=_SECONDS)

    async def completed(self) -> None:
        """Both sides end well, and everything that arrived is what was sent."""
        self.turnstile.open()
        process = await self.stage.ended(self.process_id, seconds=2 * _SECONDS)
        assert process["state"] == "COMPLETED", process
        provider = await self.stage.ended_at_provider(self.process_id, seconds=_SECONDS)
        assert provider["state"] == "COMPLETED", provider
        async with self.stage.destination(self.container) as container:
            assert {name: await digest_of(container, name) for name in self.digests} == self.digests


async def offered(stage: Stage, asset_id: str, *, objects: int) -> tuple[str, dict[str, str]]:
    """Offer so many new objects as one asset; returns the id of an agreement on it, and the digests by name."""
    digests = {}
    async with stage.source() as container:
        for number in range(objects):
            content, name = os.urandom(_OBJECT_BYTES), f"{asset_id}/{number:03d}.bin"
            await container.upload_blob(name, content)
            digests[name] = hashlib.sha256(content).hexdigest()
    await stage.offer(asset_id, blobPrefix=f"{asset_id}/")
    return await stage.agree(asset_id), digests


async def requested(stage: Stage, pace: Pace, agreement: str, digests: dict[str, str], **members: Any) -> Transfer:
    """A transfer that the consumer's client has asked for; nothing arrives unless it is let through."""
    container = f"drill-{uuid.uuid4().hex}"
    turnstile = pace.turnstile(container)
    destination = {"type": "AzureStorage", "account": stage.consumer.account, "container": container}
    process_id = await stage.start(agreement, dataDestination=destination, **members)
    return Transfer(stage, process_id, container, digests, turnstile)
