"""Compares every object of a place with its receipt, in bounded memory."""

import asyncio
import hashlib
from collections.abc import Callable
from typing import Final

from azure_storage.crc64 import EMPTY_CRC64, crc64_of, hex_crc64
from azure_storage.manifest import ManifestEntry
from azure_storage.markers import CompleteMarker
from azure_storage.object_index import ObjectIndex
from azure_storage.receipt_check import difference, index_objects, manifest_pages, unexpected
from azure_storage.receipt_errors import (
    ObjectDigestError,
    ObjectMissingError,
    ObjectSizeError,
    ReceiptRefusedError,
)
from azure_storage.receipt_place import PlacedObject
from connector_cli.verification.placed_names import PlacedNames, as_delivered
from connector_cli.verification.readable_place import ReadablePlace
from connector_cli.verification.report import Finding, Report
from connector_spi.errors import ConnectorError

Progress = Callable[[int, int], None]
"""Is told objects and bytes that were checked since the last time."""

_FINDINGS: Final[dict[type[ReceiptRefusedError], Finding]] = {
    ObjectMissingError: Finding.MISSING,
    ObjectSizeError: Finding.SIZE_DIFFERS,
    ObjectDigestError: Finding.DIGEST_DIFFERS,
}

_AS_IT_SHOULD_BE: Final = frozenset({Finding.OK, Finding.NOT_READ})


class Verification:
    """One run over one place.

    `wanted` says of each object whether its content is read; `parallel` contents are read at once, each with two
    chunks of 4 MiB in memory. `names`: of objects that were moved into somebody's container.
    """

    def __init__(
        self,
        place: ReadablePlace,
        report: Report,
        *,
        wanted: Callable[[], bool],
        parallel: int,
        progress: Progress,
        names: PlacedNames | None = None,
    ) -> None:
        self._names = names or PlacedNames()
        self._place = as_delivered(place, self._names)
        self._report = report
        self._wanted = wanted
        self._slots = asyncio.Semaphore(parallel)
        self._progress = progress

    async def run(self) -> None:
        """Fill the report. The manifest is read twice: first whether it is the marker's, then what it lists.

        Raises:
            ReceiptRefusedError, MarkerMalformedError, BlobTooLargeError: the manifest is not to be believed.
            TransientError, PermanentError: the place cannot be read.
        """
        marker = self._report.receipt
        async for _ in manifest_pages(self._place, marker):
            pass
        with ObjectIndex() as index:
            await index_objects(self._place, index)
            await self._check_listed(marker, index)
            for found in index.rest():
                self._report.note(found.name, Finding.EXTRA, unexpected(found).message)

    async def _check_listed(self, marker: CompleteMarker, index: ObjectIndex) -> None:
        async for entries in manifest_pages(self._place, marker):
            taken = await asyncio.to_thread(index.take, [entry.name for entry in entries])
            async with asyncio.TaskGroup() as checks:
                for entry, found in zip(entries, taken, strict=True):
                    await self._slots.acquire()
                    checks.create_task(self._check(entry, found))

    async def _check(self, entry: ManifestEntry, found: PlacedObject | None) -> None:
        try:
            finding, text = await self._finding(entry, found)
            self._report.note(entry.name, finding, text)
            self._progress(1, 0)
        finally:
            self._slots.release()

    async def _finding(self, entry: ManifestEntry, found: PlacedObject | None) -> tuple[Finding, str]:
        if entry.name in self._names.skipped:
            return Finding.SKIPPED, "Left out: somebody else's object had the name, and was kept."
        finding, text = await self._finding_in_place(entry, found)
        if finding in _AS_IT_SHOULD_BE and entry.name in self._names.placed_as:
            return Finding.RENAMED, f"Is there as {self._names.placed_as[entry.name]!r}: the name was taken."
        return finding, text

    async def _finding_in_place(self, entry: ManifestEntry, found: PlacedObject | None) -> tuple[Finding, str]:
        reason = difference(entry, found)
        if reason is not None:
            return _FINDINGS[type(reason)], reason.message
        return (Finding.MISSING, "") if found is None else await self._content_finding(entry, found)

    async def _content_finding(self, entry: ManifestEntry, found: PlacedObject) -> tuple[Finding, str]:
        if not self._wanted():
            return Finding.NOT_READ, ""
        if not entry.has_digest:
            return Finding.NOT_VERIFIABLE, f"The receipt has no digest of {entry.name!r}."
        try:
            differing = await self._differing_digests(entry, found)
        except ConnectorError as error:
            return Finding.NOT_VERIFIABLE, error.message
        if differing:
            return Finding.DIGEST_DIFFERS, f"The {' and '.join(differing)} of {entry.name!r} differ from the receipt's."
        return Finding.OK, ""

    async def _differing_digests(self, entry: ManifestEntry, found: PlacedObject) -> list[str]:
        digests = _Digests(entry)
        async for chunk in self._place.content(found):
            await asyncio.to_thread(digests.add, chunk)
            self._report.bytes_read += len(chunk)
            self._progress(0, len(chunk))
        return digests.differing()


class _Digests:
    """Those digests of a content that its entry has."""

    def __init__(self, entry: ManifestEntry) -> None:
        self._entry = entry
        self._sha256 = hashlib.sha256() if entry.sha256 else None
        self._md5 = hashlib.md5(usedforsecurity=False) if entry.md5 else None
        self._crc64 = EMPTY_CRC64
        self._size = 0

    def add(self, chunk: bytes | bytearray) -> None:
        self._size += len(chunk)
        for digest in (self._sha256, self._md5):
            if digest is not None:
                digest.update(chunk)
        if self._entry.crc64:
            self._crc64 = crc64_of(chunk, self._crc64)

    def differing(self) -> list[str]:
        """Names of those that are not the entry's."""
        entry = self._entry
        agree = {
            "size": self._size == entry.size_bytes,
            "SHA-256": self._sha256 is None or self._sha256.hexdigest() == entry.sha256,
            "CRC64": entry.crc64 is None or hex_crc64(self._crc64) == entry.crc64,
            "MD5": self._md5 is None or self._md5.hexdigest() == entry.md5,
        }
        return [name for name, agrees in agree.items() if not agrees]
