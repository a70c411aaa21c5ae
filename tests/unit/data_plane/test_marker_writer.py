from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from azure_storage.manifest import MANIFEST_PAGE_ENTRIES, ManifestEntry, manifest_page_name, parse_manifest_page
from azure_storage.markers import COMPLETE, FAILED, parse_complete_marker, parse_failed_marker
from azure_storage.receipt_signature import ReceiptKeyError, check_signature
from connector_spi.clock import SystemClock
from connector_spi.errors import SecretNotFoundError
from data_plane.adapters.marker_writer import write_complete, write_failed
from data_plane.adapters.receipt_signer import ReceiptSigner
from data_plane.domain.data_flow import DataFlowFailure
from data_plane.domain.object_copy import Assurance, ObjectCopy
from tests.deliveries import published
from tests.unit.control_plane.keys import key_of, private_pem
from tests.unit.data_plane.fakes import a_data_flow
from vault_adapters.memory import InMemoryVault

FLOW = a_data_flow(participant_id="did:web:them")
KEY = key_of("did:web:them")
SIGNER = ReceiptSigner(
    vault=InMemoryVault({"k": private_pem(KEY), "token": "no-key"}), key_alias="k", clock=SystemClock()
)


class Place:
    """Keeps what is written, in its order."""

    def __init__(self) -> None:
        self.written: dict[str, bytes] = {}

    async def write(self, name: str, content: bytes, _content_type: str) -> None:
        self.written[name] = content


async def complete(*copies: ObjectCopy, signer: ReceiptSigner | None = SIGNER) -> Place:
    async def each() -> AsyncIterator[ObjectCopy]:
        for copy in copies:
            yield copy

    place = Place()
    await write_complete(FLOW, each(), place.write, signer=signer)
    return place


def entries(place: Place) -> list[ManifestEntry]:
    pages = [name for name in place.written if name != COMPLETE]
    return [
        entry
        for number, name in enumerate(pages, start=1)
        for entry in parse_manifest_page(place.written[name], number=number)
    ]


async def test_the_marker_is_signed_in_the_name_of_the_flows_participant() -> None:
    place = await complete(published("a", b"1"))
    marker = parse_complete_marker(place.written[COMPLETE])
    check_signature(marker, signer="did:web:them", key=KEY.public_key())
    assert (marker.nonce, marker.process_id, marker.agreement_id) == ("nonce-1", "consumer-process", "agreement-1")


async def test_a_failure_is_signed_too() -> None:
    place = Place()
    failure = DataFlowFailure("BlobNotFound", "GET https://x.example/?sig=PLANTED", remedy="Look into our vault.")
    await write_failed(FLOW, failure, place.write, signer=SIGNER)
    check_signature(parse_failed_marker(place.written[FAILED]), signer="did:web:them", key=KEY.public_key())
    assert b"PLANTED" not in place.written[FAILED]
    assert b"our vault" not in place.written[FAILED], "the other organisation reads the marker"


async def test_without_a_signer_nothing_claims_to_be_signed() -> None:
    place = await complete(published("a", b"1"), signer=None)
    marker = parse_complete_marker(place.written[COMPLETE])
    assert (marker.signer, marker.signed_at, marker.signature) == (None, None, None)


async def test_the_marker_comes_last_and_counts_what_the_pages_hold() -> None:
    copy = published("a", b"12")
    copies = [replace(copy, destination_name=f"{n:05d}") for n in range(MANIFEST_PAGE_ENTRIES + 1)]
    place = await complete(*copies)
    assert list(place.written) == [manifest_page_name(1), manifest_page_name(2), COMPLETE]
    marker = parse_complete_marker(place.written[COMPLETE])
    assert (marker.object_count, marker.bytes_total, marker.pages) == (len(copies), 2 * len(copies), 2)
    assert [entry.name for entry in entries(place)] == [copy.destination_name for copy in copies]


async def test_an_entry_has_the_digests_and_the_assurance_that_the_copy_really_has() -> None:
    streamed = published("a", b"123456789")
    reported = replace(streamed, sha256="", assurance=Assurance.SERVICE_REPORTED)
    silent = replace(reported, crc64=None)
    matched = replace(silent, md5="cd" * 16, assurance=Assurance.SOURCE_MD5)
    found = entries(await complete(streamed, reported, silent, matched))
    assert [(e.assurance, bool(e.sha256), e.crc64, e.md5) for e in found] == [
        ("computed", True, "ae8b14860a799888", None),
        ("service-reported", False, "ae8b14860a799888", None),
        ("service-reported", False, None, None),
        ("source-md5", False, None, "cd" * 16),
    ]
    assert {(e.size_bytes, e.etag_source, e.content_type) for e in found} == {(9, '"0x1"', "text/plain")}


@pytest.mark.parametrize(("alias", "error"), [("missing", SecretNotFoundError), ("token", ReceiptKeyError)])
async def test_a_key_that_cannot_sign_is_found_out_beforehand(alias: str, error: type[Exception]) -> None:
    vault = InMemoryVault({"token": "no-key"})
    with pytest.raises(error, match=alias):
        await ReceiptSigner(vault=vault, key_alias=alias, clock=SystemClock()).check()
    await SIGNER.check()
