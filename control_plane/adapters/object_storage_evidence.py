"""CompletionEvidence from Azure Blob Storage: the markers, the manifest, and whether what it lists is there."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from azure_storage.containers import ObjectStorage
from azure_storage.errors import BlobTooLargeError, MarkerMalformedError
from azure_storage.markers import FAILED, MARKER_MAX_BYTES, CompleteMarker, SignedMarker, parse_failed_marker
from azure_storage.receipt_check import check_objects, read_complete
from azure_storage.receipt_errors import ReceiptForeignError, ReceiptRefusedError, ReceiptUnsignedError
from azure_storage.receipt_place import ReceiptPlace, StoragePlace
from azure_storage.receipt_signature import check_signature, verification_key
from connector_spi.log_context import redacted
from control_plane.domain.placement import CheckedReceipt
from control_plane.domain.transfer_process import TransferError, TransferProcess
from control_plane.ports.completion_evidence import Arrived, Evidence, Failed, Pending, Refused


@dataclass(frozen=True, slots=True)
class ReceiptTrust:
    """How a counterparty's receipts are taken: with which key they are signed, and whether they have to be."""

    participant_id: str
    key: EllipticCurvePublicKey
    required: bool = True

    @classmethod
    def of(cls, participant_id: str, public_key: str, receipts: Literal["required", "optional"]) -> Self:
        """From what the operator configured.

        Raises:
            ReceiptKeyError: the key is not a P-256 public key.
        """
        key = verification_key(public_key, name=f"the counterparty {participant_id}")
        return cls(participant_id, key, required=receipts == "required")

    def check(self, marker: SignedMarker) -> None:
        """Check the marker's signature; one that is there has to be right, whether it is required or not.

        Raises:
            ReceiptUnsignedError, ReceiptSignerUnknownError, ReceiptSignatureError: it is not to be believed.
        """
        if marker.signature is not None:
            check_signature(marker, signer=self.participant_id, key=self.key)
        elif self.required:
            raise ReceiptUnsignedError(
                f"The receipt of {self.participant_id!r} is not signed. Its data plane needs "
                'receipt_signing_key_alias, or this side receipts = "optional" for this counterparty.'
            )


class ObjectStorageEvidence:
    """Reads the transfer's own place with the consumer's own key."""

    def __init__(self, storage: ObjectStorage, trust: Mapping[str, ReceiptTrust]) -> None:
        """`trust`: by participant id; the receipts of everybody else are refused."""
        self._storage = storage
        self._trust = trust

    async def look(self, process: TransferProcess) -> Evidence:
        """`.complete` first: a retried transfer may have left an older `.failed`."""
        if process.provisioned is None:
            return Pending()
        made = process.provisioned
        key_name = process.data_destination.get("keyName") or None
        place = StoragePlace(self._storage, made.account, made.container, folder=made.folder, key_name=key_name)
        try:
            marker = await read_complete(place)
            if marker is not None:
                return await self._verified(process, place, marker)
            return await self._failure(process, place)
        except (ReceiptRefusedError, MarkerMalformedError, BlobTooLargeError) as error:
            reason = redacted(_storable(error.message))
            return Refused(TransferError(code=error.code, message=reason, remedy=error.advice))

    async def _failure(self, process: TransferProcess, place: ReceiptPlace) -> Evidence:
        content = await place.read(FAILED, max_bytes=MARKER_MAX_BYTES)
        if content is None:
            return Pending()
        marker = parse_failed_marker(content)
        self._check_origin(process, marker, FAILED)
        what = f" (object {marker.object_name!r})" if marker.object_name else ""
        return Failed(TransferError(code=_storable(marker.code), message=redacted(_storable(marker.message)) + what))

    async def _verified(self, process: TransferProcess, place: ReceiptPlace, marker: CompleteMarker) -> Evidence:
        self._check_origin(process, marker, ".complete")
        if marker.agreement_id != process.contract_id:
            raise ReceiptForeignError(".complete belongs to another transfer: it names another agreement.")
        receipt = CheckedReceipt(
            manifest_sha256=marker.manifest_sha256,
            pages=marker.pages,
            object_count=marker.object_count,
            bytes_total=marker.bytes_total,
            newest_at=await check_objects(place, marker),
        )
        return Arrived(object_count=marker.object_count, bytes_total=marker.bytes_total, receipt=receipt)

    def _check_origin(self, process: TransferProcess, marker: SignedMarker, name: str) -> None:
        """Check that it is a marker of this transfer, by this counterparty.

        Raises:
            ReceiptForeignError: it belongs to another transfer.
            ReceiptUnsignedError, ReceiptSignerUnknownError, ReceiptSignatureError: it is not the counterparty's.
        """
        if not hmac.compare_digest(marker.nonce.encode(), process.nonce.encode()):
            raise ReceiptForeignError(f"{name} belongs to another transfer: it has another nonce.")
        if marker.process_id != process.id:
            raise ReceiptForeignError(f"{name} belongs to another transfer: it names another process.")
        trust = self._trust.get(process.counter_party_id)
        if trust is None:
            raise ReceiptUnsignedError(f"No key of {process.counter_party_id!r} is configured to check {name} with.")
        trust.check(marker)


def _storable(text: str) -> str:
    """Without NUL, which not every database takes."""
    return text.replace("\0", "")
