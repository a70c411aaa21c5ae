"""CompletionEvidence from Azure Blob Storage: the markers, the manifest, and whether what it lists is there."""

import hashlib
import hmac
from typing import Final

from azure_storage.containers import ObjectStorage
from azure_storage.errors import BlobTooLargeError, MarkerMalformedError
from azure_storage.markers import (
    COMPLETE,
    FAILED,
    MANIFEST_FOLDER,
    MARKER_MAX_BYTES,
    PAGE_MAX_BYTES,
    CompleteMarker,
    manifest_digest,
    manifest_page_name,
    parse_complete_marker,
    parse_failed_marker,
    parse_manifest_page,
)
from connector_spi.log_context import redacted
from control_plane.domain.transfer_process import TransferError, TransferProcess
from control_plane.ports.completion_evidence import Arrived, Evidence, Failed, Pending, Refused

_MODULUS: Final = 1 << 512


class _ObjectSet:
    """Count, bytes and digest of a set of (name, size), whatever the order, without holding the set.

    The digest is the sum of each member's SHA-512: equal for equal sets, and a million objects need no memory.
    """

    def __init__(self) -> None:
        self.count = 0
        self.bytes_total = 0
        self._sum = 0

    def add(self, name: str, size_bytes: int) -> None:
        self.count += 1
        self.bytes_total += size_bytes
        member = hashlib.sha512(f"{size_bytes} {name}".encode()).digest()
        self._sum = (self._sum + int.from_bytes(member)) % _MODULUS

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ObjectSet) and self._facts == other._facts

    __hash__ = None  # type: ignore[assignment]  # a set that still grows has no hash

    @property
    def _facts(self) -> tuple[int, int, int]:
        return self.count, self.bytes_total, self._sum


class ObjectStorageEvidence:
    """Reads the transfer's own place with the consumer's own key."""

    def __init__(self, storage: ObjectStorage) -> None:
        self._storage = storage

    async def look(self, process: TransferProcess) -> Evidence:
        """`.complete` first: a retried transfer may have left an older `.failed`."""
        if process.provisioned is None:
            return Pending()
        try:
            content = await self._read(process, COMPLETE, MARKER_MAX_BYTES)
            if content is not None:
                return await self._verified(process, parse_complete_marker(content))
            return await self._failure(process)
        except (MarkerMalformedError, BlobTooLargeError) as error:
            return _refused(error.message)

    async def _failure(self, process: TransferProcess) -> Evidence:
        content = await self._read(process, FAILED, MARKER_MAX_BYTES)
        if content is None:
            return Pending()
        marker = parse_failed_marker(content)
        if not _is_ours(process, marker.nonce, marker.process_id):
            return _refused(f"{FAILED} belongs to another transfer.")
        what = f" (object {marker.object_name!r})" if marker.object_name else ""
        return Failed(TransferError(code=_storable(marker.code), message=redacted(_storable(marker.message)) + what))

    async def _verified(self, process: TransferProcess, marker: CompleteMarker) -> Evidence:
        if not _is_ours(process, marker.nonce, marker.process_id) or marker.agreement_id != process.contract_id:
            return _refused(f"{COMPLETE} belongs to another transfer.")
        listed = _ObjectSet()
        page_digests: list[bytes] = []
        for number in range(1, marker.pages + 1):
            page = await self._read(process, manifest_page_name(number), PAGE_MAX_BYTES)
            if page is None:
                return _refused(f"The manifest page {number} is missing.")
            page_digests.append(hashlib.sha256(page).digest())
            for entry in parse_manifest_page(page, number=number):
                listed.add(entry.name, entry.size_bytes)
        if not hmac.compare_digest(manifest_digest(page_digests), marker.manifest_sha256):
            return _refused("The manifest is not the one that the marker names.")
        if (listed.count, listed.bytes_total) != (marker.object_count, marker.bytes_total):
            return _refused("The manifest and the marker disagree on the number of objects or bytes.")
        if listed != await self._present(process):
            return _refused("What the manifest lists is not what is in the container.")
        return Arrived(object_count=listed.count, bytes_total=listed.bytes_total)

    async def _present(self, process: TransferProcess) -> _ObjectSet:
        place, root = _place(process), _root(process)
        own = {root + COMPLETE, root + FAILED}
        present = _ObjectSet()
        objects = self._storage.list_objects(*place, prefix=root, key_name=_key_name(process))
        async for found in objects:
            if found.name not in own and not found.name.startswith(f"{root}{MANIFEST_FOLDER}/"):
                present.add(found.name.removeprefix(root), found.size_bytes)
        return present

    async def _read(self, process: TransferProcess, name: str, max_bytes: int) -> bytes | None:
        return await self._storage.read_small_blob(
            *_place(process), _root(process) + name, max_bytes=max_bytes, key_name=_key_name(process)
        )


def _place(process: TransferProcess) -> tuple[str, str]:
    if process.provisioned is None:
        return "", ""
    return process.provisioned.account, process.provisioned.container


def _root(process: TransferProcess) -> str:
    folder = process.provisioned.folder if process.provisioned else ""
    return f"{folder}/" if folder else ""


def _key_name(process: TransferProcess) -> str | None:
    return process.data_destination.get("keyName") or None


def _is_ours(process: TransferProcess, nonce: str, process_id: str) -> bool:
    return hmac.compare_digest(nonce.encode(), process.nonce.encode()) and process_id == process.id


def _storable(text: str) -> str:
    """Without NUL, which not every database takes."""
    return text.replace("\0", "")


def _refused(problem: str) -> Refused:
    return Refused(TransferError(code="EvidenceRefused", message=problem))
