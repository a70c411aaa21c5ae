"""A container that the consumer's client has already, with blobs of its own, and what a transfer leaves in it."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from azure.storage.blob.aio import ContainerClient

from connector_cli.demo.sample_files import container_names
from tests.end_to_end.stage import Stage

OWN = {"own.txt": b"the client's", "in/own.txt": b"the client's, in the folder"}


@dataclass
class ClientsContainer:
    """The client's own view of it."""

    name: str
    client: ContainerClient
    before: dict[str, str] = field(default_factory=dict)
    """ETags of the client's own blobs."""

    async def etags(self) -> dict[str, str]:
        return {blob.name: str(blob.etag) async for blob in self.client.list_blobs()}

    async def is_untouched(self) -> bool:
        """Whether the client's own blobs are what they were."""
        return self.before.items() <= (await self.etags()).items()

    async def read(self, name: str) -> bytes:
        return await (await self.client.download_blob(name)).readall()

    def destination(self, stage: Stage, **properties: str) -> dict[str, Any]:
        """Members of a transfer request."""
        place = {"type": "AzureStorage", "account": stage.consumer.account, "container": self.name}
        return {"managedResources": False, "dataDestination": place | properties}


@asynccontextmanager
async def clients_container(stage: Stage) -> AsyncIterator[ClientsContainer]:
    """A new one, with a stored access policy, public for reading single blobs."""
    name = f"mine-{uuid4().hex}"
    async with stage.destination(name) as client:
        await client.create_container(public_access="blob")
        for blob, content in OWN.items():
            await client.upload_blob(blob, content)
        mine = ClientsContainer(name, client)
        mine.before = await mine.etags()
        yield mine


async def is_staged(stage: Stage, process_id: str) -> bool:
    """Whether the container that the connector made for this transfer is there."""
    consumer = stage.consumer
    names = await container_names(consumer.endpoint_template, consumer.account, consumer.account_key)
    return f"transfer-{hashlib.sha256(f'{consumer.name} {process_id}'.encode()).hexdigest()[:32]}" in names
