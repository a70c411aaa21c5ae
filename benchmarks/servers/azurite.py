"""Azurite, Microsoft's emulator: a real server, and the slowest part of every run."""

import asyncio
import base64
import hashlib
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import aiohttp
from yarl import URL

from azure_storage.session import STORAGE_API_VERSION
from benchmarks.errors import BenchmarkError, UnavailableError
from benchmarks.shapes import MEBIBYTE, Shape
from benchmarks.stage import DESTINATION_ACCOUNT, SOURCE_ACCOUNT, Stage
from connector_cli.azurite import is_installed, new_account_key, running_azurite

_UPLOADS: Final = 8
_CREATED: Final = 201
_PATTERN: Final = random.Random(1).randbytes(MEBIBYTE)  # noqa: S311 - content that is no secret
_CALL_SECONDS: Final = 300.0


class AzuriteServer:
    """One Azurite with two accounts, which keeps its blobs in memory."""

    name = "azurite"
    text = "Azurite 3.37.0, two accounts, in memory"

    @asynccontextmanager
    async def staged(self, shape: Shape, folder: Path) -> AsyncIterator[Stage]:
        """As `Server.staged`."""
        if not is_installed():
            raise UnavailableError("Azurite is not installed. To get it: make setup")
        keys = {account: new_account_key() for account in (SOURCE_ACCOUNT, DESTINATION_ACCOUNT)}
        async with running_azurite(accounts=keys, data_folder=folder / "azurite", in_memory=True) as running:
            stage = Stage(running.endpoint_template, keys, shape, reads_back=True)
            await asyncio.to_thread(_create_containers, stage)
            await _fill(stage)
            yield stage


def object_name(index: int) -> str:
    """The name of the shape's object with this index."""
    return f"data/{index:06d}.bin"


def object_content(index: int, size: int) -> bytes:
    """Its content: one pattern for all, which begins elsewhere for each."""
    start = index * 7919 % len(_PATTERN)
    turned = _PATTERN[start:] + _PATTERN[:start]
    return (turned * (size // len(turned) + 1))[:size]


def _create_containers(stage: Stage) -> None:
    for container in (stage.source(), stage.destination()):
        with container:
            container.create_container()


async def _fill(stage: Stage) -> None:
    """Put the objects of the shape, with a checksum: Azurite is slow with what comes without."""
    address, _, query = _owner_url(stage).partition("?")
    turn = asyncio.Semaphore(_UPLOADS)
    timeout = aiohttp.ClientTimeout(total=_CALL_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as group:

        async def put(index: int) -> None:
            async with turn:
                content = await asyncio.to_thread(object_content, index, stage.shape.object_bytes)
                url = URL(f"{address}/{object_name(index)}?{query}", encoded=True)
                await _put_blob(session, url, content)

        for index in range(stage.shape.objects):
            group.create_task(put(index))


def _owner_url(stage: Stage) -> str:
    return stage.source_url(permissions="w")


async def _put_blob(session: aiohttp.ClientSession, url: URL, content: bytes) -> None:
    digest = await asyncio.to_thread(hashlib.md5, content, usedforsecurity=False)
    headers = {
        "x-ms-version": STORAGE_API_VERSION,
        "x-ms-blob-type": "BlockBlob",
        "Content-MD5": base64.b64encode(digest.digest()).decode(),
        "Content-Length": str(len(content)),
    }
    async with session.put(url, data=_pieces(content), headers=headers) as answer:
        if answer.status != _CREATED:
            raise BenchmarkError(f"Azurite answered {answer.status} to a blob of the source: {await answer.text()}")


async def _pieces(content: bytes) -> AsyncIterator[memoryview]:
    view = memoryview(content)
    for start in range(0, len(view), MEBIBYTE):
        yield view[start : start + MEBIBYTE]
