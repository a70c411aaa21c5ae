"""Which digests of a content count, one by one; `tests/integration/connector_cli` has the whole command."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from azure_storage.markers import CompleteMarker
from azure_storage.receipt_check import read_complete
from azure_storage.receipt_place import PlacedObject
from connector_cli.verification.engine import Verification
from connector_cli.verification.folder_place import FolderPlace, FolderUnreadableError
from connector_cli.verification.report import NAMED_AT_MOST, Finding, Outcome, Report
from connector_spi.errors import TransientError
from data_plane.adapters.marker_writer import write_complete
from data_plane.domain.object_copy import Assurance, ObjectCopy
from tests.deliveries import published
from tests.unit.data_plane.fakes import a_data_flow

CONTENT = b"123456789"
STREAMED = published("a", CONTENT)
REPORTED = replace(STREAMED, sha256="", assurance=Assurance.SERVICE_REPORTED)
MATCHED = replace(REPORTED, crc64=None, md5="25f9e794323b453885f5181f1b624d0b", assurance=Assurance.SOURCE_MD5)


async def report_of(folder: Path, *copies: ObjectCopy, place: FolderPlace | None = None) -> Report:
    """The report on a directory that holds CONTENT under each name, with a receipt of these copies."""

    async def write(name: str, content: bytes, _content_type: str) -> None:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)

    async def each() -> AsyncIterator[ObjectCopy]:
        for copy in copies:
            await write(copy.destination_name, CONTENT, "")
            yield copy

    await write_complete(a_data_flow(), each(), write)
    place = place or FolderPlace(folder)
    marker = await read_complete(place)
    assert marker is not None
    report = Report(marker, "not checked")
    await Verification(place, report, wanted=lambda: True, parallel=2, progress=lambda _objects, _size: None).run()
    return report


@dataclass(frozen=True)
class Case:
    copy: ObjectCopy
    finding: Finding
    named: str = ""


CASES = {
    "all": Case(STREAMED, Finding.OK),
    "sha256": Case(replace(STREAMED, sha256="0" * 64), Finding.DIGEST_DIFFERS, "SHA-256"),
    "crc64 beside a right sha256": Case(replace(STREAMED, crc64=1), Finding.DIGEST_DIFFERS, "CRC64"),
    "crc64 alone": Case(REPORTED, Finding.OK),
    "wrong crc64 alone": Case(replace(REPORTED, crc64=1), Finding.DIGEST_DIFFERS, "CRC64"),
    "md5 alone": Case(MATCHED, Finding.OK),
    "wrong md5 alone": Case(replace(MATCHED, md5="0" * 32), Finding.DIGEST_DIFFERS, "MD5"),
    "none": Case(replace(REPORTED, crc64=None), Finding.NOT_VERIFIABLE, "no digest"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
async def test_every_digest_that_the_receipt_has_counts(tmp_path: Path, case: Case) -> None:
    report = await report_of(tmp_path, case.copy)
    assert report.counts == {case.finding: 1}
    assert [(named.finding, case.named in named.reason) for named in report.named] == (
        [] if case.finding is Finding.OK else [(case.finding, True)]
    )


async def test_what_cannot_be_read_is_no_mismatch_and_not_all_right(tmp_path: Path) -> None:
    class Unreadable(FolderPlace):
        def content(self, found: PlacedObject) -> AsyncIterator[bytes | bytearray]:
            raise TransientError(f"{found.name} does not answer")

    report = await report_of(tmp_path, STREAMED, place=Unreadable(tmp_path))
    assert (report.counts, report.outcome) == ({Finding.NOT_VERIFIABLE: 1}, Outcome.NOT_CHECKED)


async def test_names_of_any_bytes_are_reported(tmp_path: Path) -> None:
    (tmp_path / "x\udcff").write_bytes(b"")
    report = await report_of(tmp_path, STREAMED)
    assert [(named.name, named.finding) for named in report.named] == [("x?", Finding.EXTRA)]


async def test_many_findings_are_counted_and_only_some_named(tmp_path: Path) -> None:
    marker = CompleteMarker(
        nonce="n",
        process_id="p",
        agreement_id="a",
        object_count=0,
        bytes_total=0,
        pages=0,
        manifest_sha256="ab" * 32,
    )
    report = Report(marker, "")
    for number in range(NAMED_AT_MOST + 5):
        report.note(str(number), Finding.EXTRA)
    report.note("fine", Finding.OK)
    assert (len(report.named), report.left_out, report.outcome) == (NAMED_AT_MOST, 5, Outcome.MISMATCH)


@pytest.mark.parametrize("make", [Path.mkdir, lambda path: path.symlink_to("beside")], ids=["directory", "link"])
async def test_a_marker_that_is_no_file_is_refused(tmp_path: Path, make: Callable[[Path], None]) -> None:
    (tmp_path / "beside").write_bytes(b"{}")
    make(tmp_path / ".complete")
    with pytest.raises(FolderUnreadableError, match="complete"):
        await read_complete(FolderPlace(tmp_path))
