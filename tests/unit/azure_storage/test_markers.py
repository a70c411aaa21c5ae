import json
from typing import Any

import pytest

from azure_storage.errors import MarkerMalformedError
from azure_storage.markers import (
    MARKER_MAX_BYTES,
    CompleteMarker,
    FailedMarker,
    is_marker,
    parse_complete_marker,
    parse_failed_marker,
)

DIGEST = "ab" * 32
COMPLETE_MARKER = CompleteMarker(
    nonce="n-1",
    process_id="p-1",
    agreement_id="a-1",
    object_count=2,
    bytes_total=30,
    pages=1,
    manifest_sha256=DIGEST,
)


def test_complete_is_camel_case_json_and_survives_reading() -> None:
    content = COMPLETE_MARKER.to_bytes()
    assert json.loads(content) == {
        "version": 1,
        "nonce": "n-1",
        "processId": "p-1",
        "agreementId": "a-1",
        "objectCount": 2,
        "bytesTotal": 30,
        "pages": 1,
        "manifestSha256": DIGEST,
    }
    assert parse_complete_marker(content) == COMPLETE_MARKER


def test_failed_leaves_out_what_is_not_known() -> None:
    marker = FailedMarker(nonce="n", process_id="p", code="BlobNotFound", message="gone")
    assert "objectName" not in json.loads(marker.to_bytes())
    assert parse_failed_marker(marker.to_bytes()) == marker


def test_members_of_a_later_version_are_ignored() -> None:
    members = {**json.loads(COMPLETE_MARKER.to_bytes()), "later": "x"}
    assert parse_complete_marker(json.dumps(members).encode()) == COMPLETE_MARKER


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"objectCount": -1},
        {"objectCount": "2"},
        {"bytesTotal": 1.5},
        {"pages": 100_000},
        {"manifestSha256": DIGEST.upper()},
        {"nonce": None},
        {"nonce": "n" * 513},
        {"signature": 1},
        {"signedAt": "2026-03-01T12:00:00"},
    ],
)
def test_a_marker_with_a_wrong_member_is_refused_by_its_name(changes: dict[str, Any]) -> None:
    content = json.dumps({**json.loads(COMPLETE_MARKER.to_bytes()), **changes}).encode()
    with pytest.raises(MarkerMalformedError, match=rf"\.complete .*{next(iter(changes))}"):
        parse_complete_marker(content)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b"\xff\xfe", b'{"version":1', b"[" * 10_000])
def test_what_is_no_marker_is_refused(content: bytes) -> None:
    with pytest.raises(MarkerMalformedError):
        parse_complete_marker(content)
    with pytest.raises(MarkerMalformedError):
        parse_failed_marker(content)


def test_sizes_are_capped_before_parsing() -> None:
    with pytest.raises(MarkerMalformedError, match="larger"):
        parse_complete_marker(COMPLETE_MARKER.to_bytes() + b" " * MARKER_MAX_BYTES)
    with pytest.raises(MarkerMalformedError, match="larger"):
        parse_failed_marker(b" " * (MARKER_MAX_BYTES + 1))


def test_a_refusal_does_not_repeat_what_the_outsider_wrote() -> None:
    content = json.dumps({**json.loads(COMPLETE_MARKER.to_bytes()), "pages": "planted-text"}).encode()
    with pytest.raises(MarkerMalformedError) as refused:
        parse_complete_marker(content)
    assert "planted-text" not in str(refused.value)


def test_the_largest_failed_marker_fits_its_own_limit() -> None:
    marker = FailedMarker(
        nonce="n" * 512, process_id="p" * 512, code="C" * 128, object_name="ü" * 2048, message="m" * 4096
    )
    assert parse_failed_marker(marker.to_bytes()) == marker


@pytest.mark.parametrize("name", [".complete", ".failed", ".manifest", ".manifest/00001.ndjson", ".manifest/x/y"])
def test_the_names_that_a_transfer_keeps_for_itself(name: str) -> None:
    assert is_marker(name)
    assert not is_marker(f"folder/{name}")
    assert not is_marker(f"{name}x" if "/" not in name else f"x{name}")
