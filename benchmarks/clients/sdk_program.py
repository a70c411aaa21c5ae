"""What runs in the SDK's process: `python -m benchmarks.clients.sdk_program sync|aio`, the job on standard input."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from azure.storage.blob import ContainerClient
from azure.storage.blob.aio import ContainerClient as AsyncContainerClient
from azure.storage.blob.aio import StorageStreamDownloader

from benchmarks.measurement import READY


@dataclass(frozen=True, slots=True)
class Job:
    """Signed URLs of both containers; `concurrency`: requests at once, over all of the `objects`."""

    source: str
    destination: str
    api_version: str
    concurrency: int
    objects: int

    @property
    def at_once(self) -> int:
        """Objects at once."""
        return min(self.concurrency, self.objects)

    @property
    def within_one(self) -> int:
        """`max_concurrency` for each of them."""
        return self.concurrency // self.at_once


def copy_sync(job: Job) -> None:
    """With the synchronous client, in threads."""
    source = ContainerClient.from_container_url(job.source, api_version=job.api_version)
    destination = ContainerClient.from_container_url(job.destination, api_version=job.api_version)

    def copy(name: str, size: int) -> None:
        download = source.download_blob(name, max_concurrency=job.within_one)
        destination.upload_blob(name, download.chunks(), length=size, overwrite=True, max_concurrency=job.within_one)

    with source, destination, ThreadPoolExecutor(job.at_once) as pool:
        copies = [pool.submit(copy, str(blob.name), int(blob.size)) for blob in source.list_blobs()]
        for one in copies:
            one.result()


async def copy_aio(job: Job) -> None:
    """With the asynchronous client, in tasks."""
    turn = asyncio.Semaphore(job.at_once)
    async with (
        AsyncContainerClient.from_container_url(job.source, api_version=job.api_version) as source,
        AsyncContainerClient.from_container_url(job.destination, api_version=job.api_version) as destination,
        asyncio.TaskGroup() as group,
    ):

        async def copy(name: str, size: int) -> None:
            async with turn:
                download = await source.download_blob(name, max_concurrency=job.within_one)
                await destination.upload_blob(
                    name, _pieces(download), length=size, overwrite=True, max_concurrency=job.within_one
                )

        async for blob in source.list_blobs():
            group.create_task(copy(str(blob.name), int(blob.size)))


async def _pieces(download: StorageStreamDownloader[bytes]) -> AsyncIterator[bytes]:
    """The chunks as an iterator that the upload takes: `chunks()` itself looks like a synchronous one to it."""
    async for chunk in download.chunks():
        yield chunk


def main() -> None:
    """Load, say so, read the job, do it."""
    sys.stdout.write(READY)
    sys.stdout.flush()
    job = Job(**json.loads(sys.stdin.readline()))
    if sys.argv[1] == "sync":
        copy_sync(job)
    else:
        asyncio.run(copy_aio(job))


if __name__ == "__main__":
    main()
