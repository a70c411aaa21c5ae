"""The files that the demo moves, and their digests."""

import hashlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from azure.storage.blob.aio import BlobServiceClient, ContainerClient

from azure_storage.session import STORAGE_API_VERSION

MEBIBYTE: Final = 1024 * 1024
LARGE: Final = "measurements/large.bin"
MONTHS_FOLDER: Final = "measurements/2026/"
_READ_BYTES: Final = 4 * MEBIBYTE
_SEED: Final = 20_260


@dataclass(frozen=True, slots=True)
class SampleFile:
    """A blob's name and size; the content follows from both."""

    name: str
    size_bytes: int

    def chunks(self) -> list[bytes]:
        """The content: pseudo-random, the same every time."""
        source = random.Random(f"{_SEED} {self.name}")  # noqa: S311 - test data, not secrets
        one = source.randbytes(min(self.size_bytes, MEBIBYTE))
        # Each mebibyte starts with its number, so that a block in the wrong place changes the digest.
        count = -(-self.size_bytes // MEBIBYTE)
        chunks = [index.to_bytes(8) + one[8:] for index in range(count)]
        if chunks and self.size_bytes % MEBIBYTE:
            chunks[-1] = chunks[-1][: self.size_bytes % MEBIBYTE]
        return chunks

    def sha256(self) -> str:
        """Digest of the content."""
        digest = hashlib.sha256()
        for chunk in self.chunks():
            digest.update(chunk)
        return digest.hexdigest()


FILES: Final = (
    SampleFile("report.csv", 18_437),
    SampleFile("empty.txt", 0),
    SampleFile("Übersicht 測定.txt", 2_048),
    SampleFile(f"{MONTHS_FOLDER}october.json", MEBIBYTE + 5),
    SampleFile(f"{MONTHS_FOLDER}november.json", 3 * MEBIBYTE + 17),
    SampleFile(LARGE, 256 * MEBIBYTE),
)


async def upload(container: ContainerClient, prefix: str) -> None:
    """Put the files into the provider's container, under a prefix."""
    for file in FILES:
        blob = container.get_blob_client(prefix + file.name)
        await blob.upload_blob(b"".join(file.chunks()), overwrite=True, validate_content=False, max_concurrency=4)


def container_client(
    endpoint_template: str, account: str, key: str, container: str, *, ca_file: Path | None = None
) -> ContainerClient:
    """A client with the account's key, as its owner has it. `ca_file`: of the authorities of a private certificate."""
    return ContainerClient(
        endpoint_template.format(account=account),
        container,
        credential=key,
        api_version=STORAGE_API_VERSION,
        connection_verify=ca_file or True,
    )


async def digest_of(container: ContainerClient, name: str) -> str:
    """SHA-256 of a blob as it can be read back now."""
    digest = hashlib.sha256()
    download = await container.download_blob(name)
    chunks: AsyncIterator[bytes] = download.chunks()
    async for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


async def names_in(container: ContainerClient) -> list[str]:
    """Names of the blobs in the container."""
    return [name async for name in container.list_blob_names()]


async def container_names(endpoint_template: str, account: str, key: str, *, ca_file: Path | None = None) -> list[str]:
    """Names of all containers in the account."""
    async with BlobServiceClient(
        endpoint_template.format(account=account),
        credential=key,
        api_version=STORAGE_API_VERSION,
        connection_verify=ca_file or True,
    ) as service:
        return [container.name async for container in service.list_containers()]
