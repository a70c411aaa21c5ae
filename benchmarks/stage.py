"""One pair of containers on a server: filled for a shape, handed to a client, looked at afterwards."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import httpx
from azure.storage.blob import ContainerClient, ContainerSasPermissions, generate_container_sas

from azure_storage.session import STORAGE_API_VERSION
from benchmarks.errors import WrongCopyError
from benchmarks.shapes import Shape

SOURCE_ACCOUNT: Final = "providerorg"
DESTINATION_ACCOUNT: Final = "consumerorg"
SOURCE_CONTAINER: Final = "source"
DESTINATION_CONTAINER: Final = "destination"
_SAS_HOURS: Final = 2
_SAMPLES: Final = 3
_SAMPLE_BYTES: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Delivered:
    """What stands at the destination, without the marks that a transfer leaves beside its objects."""

    objects: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Stage:
    """`endpoint_template` has `{account}` for the account's name; `keys` are the accounts' keys by name.

    `reads_back` says whether the server keeps what is written. `told_at`: where a server tells what it has seen, when
    it looked at every byte itself.
    """

    endpoint_template: str
    keys: Mapping[str, str]
    shape: Shape
    reads_back: bool
    told_at: str = ""

    def source(self) -> ContainerClient:
        """The source, as its owner sees it."""
        return self._container(SOURCE_ACCOUNT, SOURCE_CONTAINER)

    def destination(self) -> ContainerClient:
        """The destination, as its owner sees it."""
        return self._container(DESTINATION_ACCOUNT, DESTINATION_CONTAINER)

    def source_url(self, permissions: str = "rl") -> str:
        """The source with a signature; to read and list, when nothing else is said."""
        return self._signed(SOURCE_ACCOUNT, SOURCE_CONTAINER, permissions)

    def destination_url(self, permissions: str = "w") -> str:
        """The destination with a signature; `w` is what a transfer between organisations has."""
        return self._signed(DESTINATION_ACCOUNT, DESTINATION_CONTAINER, permissions)

    def write_signature(self) -> str:
        """The query of the write-only signature alone."""
        return self.destination_url().partition("?")[2]

    def delivered(self) -> Delivered:
        """What stands at the destination. Blocks."""
        with self.destination() as container:
            sizes = [int(blob.size) for blob in container.list_blobs() if not str(blob.name).startswith(".")]
        return Delivered(len(sizes), sum(sizes))

    def check(self) -> None:
        """Compare source and destination: numbers of all, digests of a sample where the server keeps content. Blocks.

        Raises:
            WrongCopyError: they differ.
        """
        delivered, wanted = self.delivered(), Delivered(self.shape.objects, self.shape.total_bytes)
        if delivered != wanted:
            raise WrongCopyError(f"{delivered} stands at the destination, not {wanted}.")
        if self.reads_back:
            self._compare_samples()
        if self.told_at:
            self._ask_the_server()

    def _ask_the_server(self) -> None:
        wrong = httpx.get(self.told_at, trust_env=False).raise_for_status().json()["wrong_objects"]
        if wrong:
            raise WrongCopyError(f"The server saw other bytes than the source's in {wrong[:5]}.")

    def _compare_samples(self) -> None:
        with self.source() as source, self.destination() as destination:
            for name in sample([str(blob.name) for blob in source.list_blobs()]):
                if _digests(source, name, self.shape) != _digests(destination, name, self.shape):
                    raise WrongCopyError(f"{name} differs from its source.")

    def _container(self, account: str, container: str) -> ContainerClient:
        return ContainerClient(
            self.endpoint_template.format(account=account),
            container,
            credential={"account_name": account, "account_key": self.keys[account]},
            api_version=STORAGE_API_VERSION,
        )

    def _signed(self, account: str, container: str, permissions: str) -> str:
        signature = generate_container_sas(
            account,
            container,
            account_key=self.keys[account],
            permission=ContainerSasPermissions.from_string(permissions),
            expiry=datetime.now(UTC) + timedelta(hours=_SAS_HOURS),
        )
        return f"{self.endpoint_template.format(account=account)}/{container}?{signature}"


def sample(names: list[str]) -> list[str]:
    """First, last and some between."""
    if len(names) <= _SAMPLES:
        return names
    step = (len(names) - 1) / (_SAMPLES - 1)
    return [names[round(step * index)] for index in range(_SAMPLES)]


def _digests(container: ContainerClient, name: str, shape: Shape) -> list[str]:
    """Digests of the beginning and the end of the blob."""
    return [
        hashlib.sha256(container.download_blob(name, offset=start, length=length).readall()).hexdigest()
        for start, length in _sampled_ranges(shape.object_bytes)
    ]


def _sampled_ranges(size: int) -> Iterator[tuple[int, int]]:
    if size <= 2 * _SAMPLE_BYTES:
        yield 0, size
        return
    yield 0, _SAMPLE_BYTES
    yield size - _SAMPLE_BYTES, _SAMPLE_BYTES
