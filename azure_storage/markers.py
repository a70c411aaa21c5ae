"""What a transfer leaves beside its objects when it ends: `.complete` or `.failed`.

Both stand at the root of the transfer's own place (the managed container, or the transfer's folder). The manifest
(`azure_storage.manifest`) is written before, and `.complete` as the very last object. The reader treats all of it as
the word of an outsider: sizes are capped before parsing, and what does not follow the format is an error. The
signature of either is the matter of `azure_storage.receipt_signature`.
"""

from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, Field

from azure_storage.wire_model import WireModel, check_size, parsed

COMPLETE: Final = ".complete"
FAILED: Final = ".failed"
MANIFEST_FOLDER: Final = ".manifest"

MARKER_MAX_BYTES: Final = 64 * 1024
MAX_PAGES: Final = 99_999

Sha256Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Identifier = Annotated[str, Field(max_length=512)]


class SignedMarker(WireModel):
    """What both markers tell of themselves.

    Attributes:
        nonce: the transfer's nonce, chosen by the consumer; proves that the writer serves this transfer.
        process_id: the consumer's transfer process.
        signer: participant that signed; None while there is no signature.
        signed_at: when.
        signature: JWS over everything else; None: not signed.
    """

    version: Literal[1] = 1
    nonce: Identifier
    process_id: Identifier
    signer: Identifier | None = None
    signed_at: AwareDatetime | None = None
    signature: Annotated[str, Field(max_length=MARKER_MAX_BYTES)] | None = None


class CompleteMarker(SignedMarker):
    """`.complete`: everything is there, and the manifest says what.

    Attributes:
        agreement_id: the agreement under which the data was transferred.
        object_count: objects in the manifest.
        bytes_total: sum of their sizes.
        pages: number of manifest pages.
        manifest_sha256: `manifest_digest` over the pages.
    """

    agreement_id: Identifier
    object_count: int = Field(ge=0)
    bytes_total: int = Field(ge=0)
    pages: int = Field(ge=0, le=MAX_PAGES)
    manifest_sha256: Sha256Hex


class FailedMarker(SignedMarker):
    """`.failed`: the transfer ended without success; `message` holds no URL and no secret."""

    code: str = Field(max_length=128)
    object_name: str | None = Field(default=None, max_length=2048)
    retryable: bool = False
    message: str = Field(max_length=4096)


def parse_complete_marker(content: bytes) -> CompleteMarker:
    """Read `.complete`.

    Raises:
        MarkerMalformedError: too large, or not in this format.
    """
    check_size(COMPLETE, content, MARKER_MAX_BYTES)
    return parsed(CompleteMarker, COMPLETE, content)


def parse_failed_marker(content: bytes) -> FailedMarker:
    """Read `.failed`.

    Raises:
        MarkerMalformedError: too large, or not in this format.
    """
    check_size(FAILED, content, MARKER_MAX_BYTES)
    return parsed(FailedMarker, FAILED, content)


def is_marker(name: str) -> bool:
    """Whether a name relative to the transfer's place is one that the transfer keeps for itself."""
    return name in {COMPLETE, FAILED, MANIFEST_FOLDER} or name.startswith(f"{MANIFEST_FOLDER}/")
