"""The consumer's side of a transfer on the real Azurite: what it makes, what it removes, and what it believes."""

import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import pytest

from azure_storage.account_access import AccountAccesses
from azure_storage.account_keys import AccountKeys
from azure_storage.block_client import BlockBlobClient
from azure_storage.containers import ObjectStorage
from azure_storage.endpoints import StorageEndpoints
from azure_storage.manifest import ManifestEntry, manifest_digest, manifest_page_name
from azure_storage.markers import (
    COMPLETE,
    FAILED,
    MARKER_MAX_BYTES,
    CompleteMarker,
    FailedMarker,
    SignedMarker,
    parse_complete_marker,
)
from azure_storage.receipt_signature import signed
from azure_storage.sas import SasToken
from azure_storage.session import StorageSession, open_storage_session
from connector_spi.clock import SystemClock
from connector_spi.data_address import DataAddress
from connector_spi.errors import ConnectorError, InvalidInputError, PermanentError, SecretNotFoundError
from control_plane.adapters.object_storage_evidence import ObjectStorageEvidence, ReceiptTrust
from control_plane.adapters.object_storage_provisioner import NothingProvisionedError, ObjectStorageProvisioner
from control_plane.domain.transfer_process import TransferProcess
from control_plane.ports.completion_evidence import Arrived, Evidence, Failed, Pending, Refused
from tests.conftest import AzuriteForTests
from tests.control_plane_entities import NOW, transfer_process
from tests.unit.control_plane.keys import key_of, public_pem
from vault_adapters.memory import InMemoryVault

pytestmark = pytest.mark.azurite
ACCOUNT = "consumerorg"
THEM = "did:web:them"
OPTIONAL = ReceiptTrust.of(THEM, public_pem(key_of(THEM)), "optional")
REQUIRED = ReceiptTrust.of(THEM, public_pem(key_of(THEM)), "required")
FACTS: dict[str, Any] = {"nonce": "nonce-1", "process_id": "t-1"}
CONTENT = {"a.csv": b"12345", "folder/\u00e9.csv": b"", ".hidden": b"1"}


def process_of(name: str, **properties: str) -> TransferProcess:
    destination = DataAddress("AzureStorage", {"account": ACCOUNT, "container": name, **properties})
    return transfer_process(nonce="nonce-1", data_destination=destination)


@dataclass
class Destination:
    """A transfer's provisioned place, written to as the provider does, with the SAS alone."""

    process: TransferProcess
    sas: SasToken
    storage: ObjectStorage
    blocks: BlockBlobClient
    endpoints: StorageEndpoints

    async def write(self, name: str, content: bytes, **options: Any) -> None:
        assert self.process.provisioned is not None
        folder = self.process.provisioned.folder
        path = f"{folder}/{name}" if folder else name
        url = self.endpoints.blob_url(ACCOUNT, self.process.provisioned.container, path)
        await self.blocks.put_blob(self.sas.applied_to(url), content, overwrite=True, **options)

    async def look(self, *, trust: ReceiptTrust | None = OPTIONAL, **changes: Any) -> Evidence:
        trusted = {trust.participant_id: trust} if trust else {}
        return await ObjectStorageEvidence(self.storage, trusted).look(replace(self.process, **changes))

    async def refusal(self, *, trust: ReceiptTrust | None = OPTIONAL) -> tuple[str, str]:
        """Code and message."""
        found = await self.look(trust=trust)
        assert isinstance(found, Refused), found
        return found.error.code, found.error.message


@pytest.fixture
async def session() -> AsyncIterator[StorageSession]:
    async with open_storage_session() as session:
        yield session


@pytest.fixture
def endpoints(azurite: AzuriteForTests) -> StorageEndpoints:
    return StorageEndpoints(azurite.endpoint_template)


@pytest.fixture
def secrets(azurite: AzuriteForTests) -> dict[str, str]:
    return {ACCOUNT: azurite.keys[ACCOUNT], "wrong-key": azurite.keys["providerorg"]}


@pytest.fixture
def storage(endpoints: StorageEndpoints, secrets: dict[str, str], session: StorageSession) -> ObjectStorage:
    accesses = AccountAccesses(AccountKeys(InMemoryVault(secrets)))
    return ObjectStorage(endpoints=endpoints, accesses=accesses, clock=SystemClock(), session=session)


@pytest.fixture
def blocks(session: StorageSession) -> BlockBlobClient:
    return BlockBlobClient(session)


@pytest.fixture
def provisioner(storage: ObjectStorage) -> ObjectStorageProvisioner:
    return ObjectStorageProvisioner(storage, sas_seconds=600)


@pytest.fixture(params=["", "in/here"], ids=["container", "folder"])
async def place(
    request: pytest.FixtureRequest,
    provisioner: ObjectStorageProvisioner,
    storage: ObjectStorage,
    blocks: BlockBlobClient,
    endpoints: StorageEndpoints,
) -> Destination:
    process = process_of(f"test-{uuid4().hex}", folderName=request.param)
    process = replace(process, provisioned=provisioner.plan(process))
    made = await provisioner.provision(process)
    return Destination(process, SasToken.from_secret(made.secret), storage, blocks, endpoints)


def manifest(content: dict[str, bytes] | None = None, *, md5: bool = False) -> bytes:
    entries = [
        ManifestEntry(
            name=name,
            size_bytes=len(data),
            etag_source="e",
            sha256=hashlib.sha256(data).hexdigest(),
            md5=hashlib.md5(data, usedforsecurity=False).hexdigest() if md5 else None,
        )
        for name, data in (CONTENT if content is None else content).items()
    ]
    return b"".join(entry.to_bytes() + b"\n" for entry in entries)


def complete(page: bytes, **changes: Any) -> bytes:
    facts = {
        **FACTS,
        "agreement_id": "contract-1",
        "object_count": len(CONTENT),
        "bytes_total": sum(map(len, CONTENT.values())),
        "pages": 1,
        "manifest_sha256": manifest_digest([hashlib.sha256(page).digest()]),
    }
    return CompleteMarker(**{**facts, **changes}).to_bytes()


def arrived(evidence: Evidence) -> tuple[int, int]:
    """Objects and bytes, which the receipt that is remembered counts as well."""
    assert isinstance(evidence, Arrived)
    assert evidence.receipt is not None
    counts = (evidence.object_count, evidence.bytes_total)
    assert (evidence.receipt.object_count, evidence.receipt.bytes_total) == counts
    return counts


def by(participant: str, marker: bytes, *, key: str = "") -> bytes:
    """The marker, signed in the name of a participant with its key, or another one."""
    unsigned: SignedMarker = parse_complete_marker(marker)
    return signed(unsigned, signer=participant, at=NOW, key=key_of(key or participant)).to_bytes()


async def written(place: Destination, *, page: bytes | None = None, marker: bytes | None = None) -> None:
    """Everything that a provider leaves, or something else in the place of its manifest or marker."""
    for name, data in CONTENT.items():
        await place.write(name, data)
    page = manifest() if page is None else page
    await place.write(manifest_page_name(1), page)
    await place.write(COMPLETE, complete(page) if marker is None else marker)


async def test_nothing_is_believed_before_there_is_a_marker(place: Destination) -> None:
    assert await place.look() == Pending()
    await place.write("a.csv", b"12345")
    assert await place.look() == Pending()
    assert await place.look(provisioned=None) == Pending()


async def test_a_marker_whose_manifest_is_what_is_there_is_believed(place: Destination) -> None:
    await written(place)
    assert arrived(await place.look()) == (3, 6)


async def test_a_later_success_outweighs_an_older_failure(place: Destination) -> None:
    await place.write(FAILED, FailedMarker(**FACTS, code="X", message="x").to_bytes())
    await written(place)
    assert isinstance(await place.look(), Arrived)


@pytest.mark.parametrize(
    ("changes", "code", "problem"),
    [
        ({"nonce": "other"}, "ReceiptForeign", "another nonce"),
        ({"nonce": "n\u00f6nce"}, "ReceiptForeign", "another nonce"),
        ({"process_id": "t-2"}, "ReceiptForeign", "another process"),
        ({"agreement_id": "other"}, "ReceiptForeign", "another agreement"),
        ({"object_count": 2}, "ManifestCounts", "says 2 of 6"),
        ({"bytes_total": 7}, "ManifestCounts", "says 3 of 7"),
        ({"manifest_sha256": "0" * 64}, "ManifestAltered", "not the one that the marker names"),
        ({"pages": 0}, "ManifestAltered", "not the one that the marker names"),
        ({"pages": 2}, "ManifestPageMissing", "00002.ndjson is missing"),
    ],
)
async def test_a_marker_that_does_not_fit_is_refused(
    place: Destination, changes: dict[str, Any], code: str, problem: str
) -> None:
    await written(place, marker=complete(manifest(), **changes))
    found, message = await place.refusal()
    assert found == code
    assert problem in message


@pytest.mark.parametrize(
    ("content", "code", "named"),
    [
        ({**CONTENT, "missing.csv": b""}, "ObjectMissing", "'missing.csv'"),
        ({"a.csv": b"12345"}, "ObjectUnexpected", "'.hidden'"),
        ({**CONTENT, "a.csv": b"123456"}, "ObjectSize", "'a.csv' has 5 bytes, and the manifest says 6"),
        ({}, "ObjectUnexpected", "'.hidden'"),
    ],
)
async def test_a_manifest_that_is_not_what_is_there_is_refused_by_the_objects_name(
    place: Destination, content: dict[str, bytes], code: str, named: str
) -> None:
    page = manifest(content)
    marker = complete(page, object_count=len(content), bytes_total=sum(map(len, content.values())))
    await written(place, page=page, marker=marker)
    found, message = await place.refusal()
    assert found == code
    assert named in message


async def test_an_object_that_is_listed_twice_is_refused(place: Destination) -> None:
    page = manifest() + manifest({"a.csv": b"12345"})
    await written(place, page=page, marker=complete(page, object_count=4, bytes_total=11))
    assert (await place.refusal())[0] == "ObjectMissing"


async def test_a_foreign_object_of_the_same_name_and_size_is_refused(place: Destination) -> None:
    page = manifest(md5=True)
    await written(place, page=page)
    assert isinstance(await place.look(), Arrived)
    await place.write("a.csv", b"54321", content_md5=hashlib.md5(b"54321", usedforsecurity=False).digest())
    code, message = await place.refusal()
    assert (code, "'a.csv'" in message) == ("ObjectDigest", True)


async def test_a_signed_receipt_of_the_counterparty_is_believed(place: Destination) -> None:
    await written(place, marker=by(THEM, complete(manifest())))
    assert arrived(await place.look(trust=REQUIRED)) == (3, 6)
    assert arrived(await place.look()) == (3, 6)


async def test_an_unsigned_receipt_is_refused_where_a_signature_is_required(place: Destination) -> None:
    await written(place)
    code, message = await place.refusal(trust=REQUIRED)
    assert (code, THEM in message) == ("ReceiptUnsigned", True)
    assert (await place.refusal(trust=None))[0] == "ReceiptUnsigned"
    await place.write(COMPLETE, b"{")
    await place.write(FAILED, FailedMarker(**FACTS, code="X", message="x").to_bytes())
    assert (await place.refusal(trust=REQUIRED))[0] == "MarkerMalformed"


@pytest.mark.parametrize("trust", [OPTIONAL, REQUIRED], ids=["optional", "required"])
async def test_a_signature_that_is_not_the_counterpartys_is_refused_in_any_case(
    place: Destination, trust: ReceiptTrust
) -> None:
    await written(place, marker=by("did:web:other", complete(manifest())))
    assert (await place.refusal(trust=trust))[0] == "ReceiptSignerUnknown"
    await place.write(COMPLETE, by(THEM, complete(manifest()), key="stolen name"))
    assert (await place.refusal(trust=trust))[0] == "ReceiptSignerUnknown"
    altered = parse_complete_marker(by(THEM, complete(manifest(), agreement_id="other")))
    await place.write(COMPLETE, altered.model_copy(update={"agreement_id": "contract-1"}).to_bytes())
    assert (await place.refusal(trust=trust))[0] == "ReceiptSignature"


async def test_a_failure_has_to_be_signed_as_a_success_has(place: Destination) -> None:
    failed = FailedMarker(**FACTS, code="NoSuchBlob", message="x")
    await place.write(FAILED, failed.to_bytes())
    assert (await place.refusal(trust=REQUIRED))[0] == "ReceiptUnsigned"
    await place.write(FAILED, signed(failed, signer=THEM, at=NOW, key=key_of(THEM)).to_bytes())
    found = await place.look(trust=REQUIRED)
    assert isinstance(found, Failed)
    assert found.error.code == "NoSuchBlob"


@pytest.mark.parametrize("name", [COMPLETE, FAILED])
@pytest.mark.parametrize(
    "garbage",
    [b"", b"{}", b"\xff\xfe", b"[" * 10_000, b"x" * (MARKER_MAX_BYTES + 1), json.dumps({"version": 2}).encode()],
    ids=["empty", "object", "binary", "deep", "large", "version"],
)
async def test_garbage_is_refused_and_not_quoted(place: Destination, name: str, garbage: bytes) -> None:
    await place.write(name, garbage)
    code, message = await place.refusal()
    assert (code in {"MarkerMalformed", "BlobTooLarge"}, name in message) == (True, True)


@pytest.mark.parametrize("page", [b"garbage\n", b"{}\n", b"x" * (4 * 1024 * 1024 + 1)], ids=["text", "object", "large"])
async def test_a_manifest_of_garbage_is_refused(place: Destination, page: bytes) -> None:
    await written(place, page=page)
    assert (await place.refusal())[0] in {"MarkerMalformed", "BlobTooLarge"}


async def test_a_failure_is_told_with_its_reason_and_without_what_must_not_be_kept(place: Destination) -> None:
    message = "GET https://p.example/x?sig=PLANTED failed\0"
    marker = FailedMarker(**FACTS, code="NoSuchBlob", object_name="x.csv", message=message)
    await place.write(FAILED, marker.to_bytes())
    found = await place.look()
    assert isinstance(found, Failed)
    assert (found.error.code, "x.csv" in found.error.message) == ("NoSuchBlob", True)
    assert "PLANTED" not in found.error.message
    assert "\0" not in found.error.message


@pytest.mark.parametrize("changes", [{"nonce": "other"}, {"process_id": "t-2"}])
async def test_the_failure_of_another_transfer_is_refused(place: Destination, changes: dict[str, str]) -> None:
    await place.write(FAILED, FailedMarker(**{**FACTS, **changes}, code="X", message="x").to_bytes())
    found = await place.look()
    assert isinstance(found, Refused)
    assert "another transfer" in found.error.message


async def test_provisioning_again_is_the_same_container_and_a_sas_that_works(
    place: Destination, provisioner: ObjectStorageProvisioner
) -> None:
    made = await provisioner.provision(place.process)
    place.sas = SasToken.from_secret(made.secret)
    await place.write("a", b"1")
    assert made.secret not in repr(made)


async def test_a_container_of_somebody_else_is_refused_by_name_and_left_alone(
    place: Destination, provisioner: ObjectStorageProvisioner
) -> None:
    await place.write("a", b"1")
    other = replace(place.process, id="t-2")
    with pytest.raises(PermanentError, match=place.process.data_destination.get("container")):
        await provisioner.provision(other)
    await provisioner.deprovision(other)
    await place.write("b", b"1")


async def test_a_revoked_sas_is_worthless_and_revoking_again_is_fine(
    place: Destination, provisioner: ObjectStorageProvisioner
) -> None:
    await provisioner.revoke(place.process)
    await provisioner.revoke(place.process)
    with pytest.raises(ConnectorError):
        await place.write("a", b"1")


async def test_deprovisioning_removes_the_container_and_again_is_fine(
    place: Destination, provisioner: ObjectStorageProvisioner
) -> None:
    for _ in range(2):
        await provisioner.deprovision(place.process)
    await provisioner.revoke(place.process)


@pytest.mark.parametrize(("alias", "named"), [("missing", "'missing'"), ("wrong-key", "")])
async def test_a_key_that_is_missing_or_wrong_ends_it_and_no_key_is_told(
    provisioner: ObjectStorageProvisioner, secrets: dict[str, str], container_name: str, alias: str, named: str
) -> None:
    process = process_of(container_name, keyName=alias)
    process = replace(process, provisioned=provisioner.plan(process))
    with pytest.raises(PermanentError) as refused:
        await provisioner.provision(process)
    assert isinstance(refused.value, SecretNotFoundError) is (alias == "missing")
    assert named in refused.value.message
    assert not any(key in refused.value.message for key in secrets.values())


@pytest.mark.parametrize(
    "properties", [{"account": "../x"}, {"container": "UPPER"}, {"folderName": "a/../b"}, {"account": ""}]
)
def test_a_plan_for_names_that_cannot_be_is_refused(
    provisioner: ObjectStorageProvisioner, properties: dict[str, str]
) -> None:
    with pytest.raises(InvalidInputError):
        provisioner.plan(process_of("container", **properties))


def test_each_process_gets_a_container_of_its_own_whatever_its_id_is(provisioner: ObjectStorageProvisioner) -> None:
    ids = ["a", "A", "a.b", "a_b", "x" * 128]
    plans = [provisioner.plan(replace(process_of(""), id=name)) for name in ids]
    assert len({plan.container for plan in plans}) == len({plan.secret_alias for plan in plans}) == len(ids)


async def test_nothing_is_removed_for_a_process_that_planned_nothing(provisioner: ObjectStorageProvisioner) -> None:
    with pytest.raises(NothingProvisionedError):
        await provisioner.deprovision(process_of("container"))
