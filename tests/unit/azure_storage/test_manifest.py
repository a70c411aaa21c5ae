import hashlib
import json
from typing import Any

import pytest

from azure_storage.errors import MarkerMalformedError
from azure_storage.manifest import (
    MANIFEST_PAGE_ENTRIES,
    PAGE_MAX_BYTES,
    ManifestEntry,
    ManifestPageBuilder,
    manifest_digest,
    manifest_page_name,
    parse_manifest_page,
)

DIGEST = "ab" * 32


def _entry(name: str = "a", **changes: Any) -> ManifestEntry:
    return ManifestEntry(**{"name": name, "size_bytes": 1, "etag_source": '"0x1"', "sha256": DIGEST, **changes})


def test_an_entry_has_a_form_that_others_can_read() -> None:
    entry = _entry(content_type="text/csv", crc64="01" * 8, md5="cd" * 16, assurance="source-md5")
    assert json.loads(entry.to_bytes()) == {
        "name": "a",
        "sizeBytes": 1,
        "etagSource": '"0x1"',
        "contentType": "text/csv",
        "sha256": DIGEST,
        "crc64": "01" * 8,
        "md5": "cd" * 16,
        "assurance": "source-md5",
    }
    assert parse_manifest_page(entry.to_bytes(), number=1) == [entry]


@pytest.mark.parametrize("members", [{"crc64": "AB" * 8}, {"crc64": "ab" * 7}, {"md5": "ab" * 15}, {"md5": 1}])
def test_digests_have_exactly_one_form(members: dict[str, Any]) -> None:
    wire = {**json.loads(_entry().to_bytes()), **members}
    with pytest.raises(MarkerMalformedError, match=next(iter(members))):
        parse_manifest_page(json.dumps(wire).encode(), number=1)


def test_a_page_is_capped_before_it_is_parsed() -> None:
    with pytest.raises(MarkerMalformedError, match="larger"):
        parse_manifest_page(b"\n" * (PAGE_MAX_BYTES + 1), number=1)


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


@pytest.mark.parametrize("members", [{"sha256": None}, {"assurance": "source-md5"}, {"assurance": "hearsay"}])
def test_an_entry_has_the_digest_that_its_assurance_speaks_of(members: dict[str, Any]) -> None:
    wire = {**json.loads(_entry().to_bytes()), **members}
    with pytest.raises(MarkerMalformedError):
        parse_manifest_page(json.dumps(wire).encode(), number=1)


def test_a_name_with_line_breaks_stays_one_line() -> None:
    page = _entry("a\nb\u2028c").to_bytes() + b"\n"
    assert [entry.name for entry in parse_manifest_page(page, number=1)] == ["a\nb\u2028c"]
