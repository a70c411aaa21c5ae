"""What a sink on Azure does beside the promises of every sink: its evidence, and the end of its access."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from azure_storage.block_client import BlockBlobClient
from azure_storage.errors import StorageUnavailableError
from azure_storage.sas import SignedUrl
from connector_spi.data_address import DataAddress
from connector_spi.errors import PermanentError
from data_plane.domain.credential_life import CredentialNeededError
from data_plane.domain.object_copy import ObjectCopy, SourceObject
from tests.conformance.azure_places import AzureAccounts
from tests.conftest import AzuriteForTests
from tests.unit.data_plane.fakes import ManualClock

pytestmark = pytest.mark.azurite


@pytest.fixture
async def accounts(azurite: AzuriteForTests, container_name: str) -> AsyncIterator[AzureAccounts]:
    async with AsyncExitStack() as stack:
        yield await AzureAccounts.opened(azurite, container_name, stack)


async def published() -> AsyncIterator[ObjectCopy]:
    digest = hashlib.sha256(b"0123456789").hexdigest()
    yield ObjectCopy("flow-1", 1, SourceObject("a.txt", 10, '"e"'), "a.txt", sha256=digest)


def test_an_address_is_kept_without_what_is_not_understood(accounts: AzureAccounts) -> None:
    understood = {
        "account": "consumerorg",
        "container": accounts.container,
        "blobName": "a",
        "blobPrefix": "p/",
        "folderName": "f",
        "keyName": "alias",
    }
    sent = DataAddress("AzureStorage", {**understood, "accountKey": "planted", "metadata": "x"})
    for factory in (accounts.source_factory(), accounts.sink_factory()):
        assert factory.accepted(sent) == DataAddress("AzureStorage", understood)


async def test_being_shut_out_counts_as_done_only_once_the_evidence_was_begun(accounts: AzureAccounts) -> None:
    async with accounts.sink_factory().open(accounts.flow()) as sink:
        await accounts.shut_out()
        with pytest.raises(PermanentError):
            await sink.mark_complete(published(), again=False)
        await sink.mark_complete(published(), again=True)


async def test_a_signature_that_is_past_its_end_is_no_sign_that_the_evidence_was_seen(accounts: AzureAccounts) -> None:
    late = ManualClock(datetime.now(UTC) + timedelta(days=1))
    factory = accounts.sink_factory(blobs=BlockBlobClient(accounts.session, clock=late))
    async with factory.open(accounts.flow()) as sink:
        await accounts.shut_out()
        with pytest.raises(CredentialNeededError):
            await sink.mark_complete(published(), again=True)


class AnswerLost(BlockBlobClient):
    """Storage takes the write, and its answer does not arrive."""

    lost: str = ""
    """End of the name of the blob whose answer is lost; empty: none is."""

    async def put_blob(self, url: SignedUrl, *args: Any, **options: Any) -> str:
        etag = await super().put_blob(url, *args, **options)
        if self.lost and url.resource.endswith(self.lost):
            raise StorageUnavailableError(operation="Put Blob", resource=url.resource, problem="connection lost")
        return etag


@pytest.mark.parametrize(("lost", "counts_as_done"), [(".complete", True), (".ndjson", False)])
async def test_being_shut_out_counts_as_done_after_the_answer_to_the_evidence_was_lost(
    accounts: AzureAccounts, lost: str, *, counts_as_done: bool
) -> None:
    blobs = AnswerLost(accounts.session)
    async with accounts.sink_factory(blobs=blobs).open(accounts.flow()) as sink:
        blobs.lost = lost
        with pytest.raises(StorageUnavailableError):
            await sink.mark_complete(published(), again=False)
        blobs.lost = ""
        await accounts.shut_out()
        with nullcontext() if counts_as_done else pytest.raises(PermanentError):
            await sink.mark_complete(published(), again=False)


async def test_a_blob_carries_type_metadata_and_what_it_belongs_to(accounts: AzureAccounts) -> None:
    source = SourceObject("ä.txt", 3, '"e"', "text/x-test", "gzip", {"own": "wört"})
    copy = ObjectCopy(
        "flow-1",
        1,
        source,
        "ä.txt",
        sha256=hashlib.sha256(b"abc").hexdigest(),
        md5=hashlib.md5(b"abc", usedforsecurity=False).hexdigest(),
    )
    async with accounts.sink_factory().open(accounts.flow()) as sink:
        await sink.put_whole(copy, b"abc", again=False)
    found = await accounts.storage.get_object("consumerorg", accounts.container, "ä.txt")
    metadata = {name.lower(): value for name, value in found.metadata.items()}
    assert (found.content_type, found.content_encoding) == ("text/x-test", "gzip")
    assert metadata["sha256"] == copy.sha256
    assert metadata["own"] in {"wört", "w%C3%B6rt"}
