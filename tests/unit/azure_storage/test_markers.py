import hashlib
import json
from typing import Any

import pytest

from azure_storage.errors import MarkerMalformedError
from azure_storage.markers import (
    MANIFEST_PAGE_ENTRIES,
    MARKER_MAX_BYTES,
    PAGE_MAX_BYTES,
    CompleteMarker,
    FailedMarker,
    ManifestEntry,
    ManifestPageBuilder,
    manifest_digest,
    manifest_page_name,
    parse_complete_marker,
    parse_failed_marker,
    parse_manifest_page,
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


def _entry(name: str = "a", **changes: Any) -> ManifestEntry:
    return ManifestEntry(**{"name": name, "size_bytes": 1, "etag_source": '"0x1"', "sha256": DIGEST, **changes})


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
    members = {**json.loads(COMPLETE_MARKER.to_bytes()), "signature": "x"}
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
    with pytest.raises(MarkerMalformedError, match="larger"):
        parse_manifest_page(b"\n" * (PAGE_MAX_BYTES + 1), number=1)


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


def test_pages_are_numbered_from_one_in_the_order_of_their_names() -> None:
    assert manifest_page_name(1) == ".manifest/00001.ndjson"
    assert sorted(manifest_page_name(n) for n in (10, 9, 99_999)) == [manifest_page_name(n) for n in (9, 10, 99_999)]


def test_the_manifest_digest_is_over_the_pages_digests_in_order() -> None:
    one, two = hashlib.sha256(b"1").digest(), hashlib.sha256(b"2").digest()
    assert manifest_digest([one, two]) == hashlib.sha256(one + two).hexdigest()
    assert manifest_digest([one, two]) != manifest_digest([two, one])
    assert manifest_digest([]) == hashlib.sha256(b"").hexdigest()


def test_a_page_ends_at_its_number_of_entries() -> None:
    builder = ManifestPageBuilder()
    entry = _entry()
    assert all(builder.add(entry) is None for _ in range(MANIFEST_PAGE_ENTRIES))
    page = builder.add(_entry("last"))
    assert page is not None
    assert len(parse_manifest_page(page, number=1)) == MANIFEST_PAGE_ENTRIES
    rest = builder.finish()
    assert rest is not None
    assert [entry.name for entry in parse_manifest_page(rest, number=2)] == ["last"]
    assert builder.finish() is None


def test_a_page_ends_before_its_number_of_bytes_and_no_entry_is_lost() -> None:
    builder = ManifestPageBuilder()
    entry = _entry("数" * 1024)
    pages = [page for page in (builder.add(entry) for _ in range(3000)) if page]
    pages.append(builder.finish() or b"")
    assert len(pages) > 1
    assert all(len(page) <= PAGE_MAX_BYTES for page in pages)
    assert sum(len(parse_manifest_page(page, number=1)) for page in pages) == 3000


def test_a_page_of_another_shape_names_page_and_line() -> None:
    page = _entry().to_bytes() + b"\n" + b'{"name": ""}\n'
    with pytest.raises(MarkerMalformedError, match=r"00003\.ndjson line 2"):
        parse_manifest_page(page, number=3)


def test_too_many_lines_are_refused_before_they_are_read() -> None:
    with pytest.raises(MarkerMalformedError, match="lines"):
        parse_manifest_page(b"{}\n" * (MANIFEST_PAGE_ENTRIES + 1), number=1)


@pytest.mark.parametrize("members", [{"sha256": None}, {"assurance": "service-reported"}, {"assurance": "hearsay"}])
def test_an_entry_has_the_digest_that_its_assurance_speaks_of(members: dict[str, Any]) -> None:
    wire = {**json.loads(_entry().to_bytes()), **members}
    with pytest.raises(MarkerMalformedError):
        parse_manifest_page(json.dumps(wire).encode(), number=1)


def test_a_name_with_line_breaks_stays_one_line() -> None:
    page = _entry("a\nb\u2028c").to_bytes() + b"\n"
    assert [entry.name for entry in parse_manifest_page(page, number=1)] == ["a\nb\u2028c"]
