"""What the listing alone can say against an object."""

import hashlib

import pytest

from azure_storage.manifest import ManifestEntry
from azure_storage.receipt_check import difference
from azure_storage.receipt_place import PlacedObject

CONTENT = b"content"
MD5 = hashlib.md5(CONTENT, usedforsecurity=False)
ENTRY = ManifestEntry(
    name="a",
    size_bytes=len(CONTENT),
    etag_source='"e"',
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    md5=MD5.hexdigest(),
    assurance="computed",
)


def placed(*, size: int = len(CONTENT), etag: str = '"0x1"', md5: bytes | None = None) -> PlacedObject:
    return PlacedObject("a", size, etag, md5)


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (placed(md5=MD5.digest()), None),
        (placed(md5=b"\0" * 16), "ObjectDigest"),
        # Somebody else's blob of the same size, published without an MD5: ours was published with one.
        (placed(md5=None), "ObjectDigest"),
        (placed(md5=MD5.digest(), size=8), "ObjectSize"),
        # A folder on a disk knows no versions and no digests.
        (placed(etag="", md5=None), None),
        (None, "ObjectMissing"),
    ],
)
def test_what_the_place_lists_is_compared_with_the_entry(found: PlacedObject | None, code: str | None) -> None:
    reason = difference(ENTRY, found)
    assert (None if reason is None else reason.code) == code


def test_an_entry_without_an_md5_is_compared_by_size_alone() -> None:
    entry = ENTRY.model_copy(update={"md5": None})
    assert difference(entry, placed(md5=b"\0" * 16)) is None
