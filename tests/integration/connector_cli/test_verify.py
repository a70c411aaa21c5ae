"""`connector verify` over what was really delivered: into a container, a folder of one, and a directory."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob.aio import BlobClient
from typer.testing import CliRunner

from azure_storage.account_access import SharedKey
from azure_storage.manifest import manifest_page_name
from azure_storage.markers import COMPLETE, FAILED, FailedMarker, parse_complete_marker
from azure_storage.sas_signing import SasSigner, SasTerms
from connector_cli.demo.sample_files import container_client
from connector_cli.main import app
from connector_spi.clock import SystemClock
from data_plane.adapters.receipt_signer import ReceiptSigner
from tests.conftest import AzuriteForTests
from tests.deliveries import PROVIDER, deliver, write_receipt
from tests.unit.connector_cli.scripted_management import scripted_management
from tests.unit.control_plane.keys import key_of, private_pem, public_pem
from vault_adapters.factory import create_vault
from vault_adapters.memory import InMemoryVault
from vault_adapters.settings import LocalVaultSettings

pytestmark = pytest.mark.azurite

ACCOUNT = "consumerorg"
CONTENTS = {
    "a.csv": b"1,2,3",
    "empty": b"",
    "folder/Übersicht 日本 50%.txt": b"names are text",
    "large.bin": bytes(range(256)) * (36 * 1024),
    "x.complete": b"no marker",
}
SIGNER = ReceiptSigner(vault=InMemoryVault({"k": private_pem(key_of(PROVIDER))}), key_alias="k", clock=SystemClock())


@dataclass
class Delivery:
    """A place to which something was delivered, and the arguments that name it to the command."""

    write: Callable[[str, bytes, str], Awaitable[None]]
    delete: Callable[[str], Awaitable[None]]
    read: Callable[[str], Awaitable[bytes]]
    arguments: tuple[str, ...]

    async def verify(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Exit code and what was printed as JSON."""
        code, output = await run(*self.arguments, *arguments, "--json")
        return code, json.loads(output)


async def run(*arguments: str) -> tuple[int, str]:
    """Exit code and output; the command runs an event loop of its own."""
    result = await asyncio.to_thread(CliRunner().invoke, app, ["verify", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


@pytest.fixture
async def consumer_config(azurite: AzuriteForTests, tmp_path: Path) -> Path:
    """The consumer's configuration: its vault holds the account's key, and it knows the provider's public key."""
    (tmp_path / "provider.pem").write_text(public_pem(key_of(PROVIDER)))
    vault = create_vault(
        LocalVaultSettings(type="local", file=tmp_path / "vault.bin", key_file=tmp_path / "vault.key"), {}
    )
    await vault.store(ACCOUNT, azurite.keys[ACCOUNT])
    await vault.aclose()
    config = tmp_path / "consumer.toml"
    config.write_text(
        f"""
[participant]
id = "did:web:us"
[vault]
type = "local"
file = "vault.bin"
key_file = "vault.key"
[storage]
endpoint_template = "{azurite.endpoint_template}"
[[counterparties]]
id = "{PROVIDER}"
public_key_file = "provider.pem"
"""
    )
    return config


def _container(azurite: AzuriteForTests, name: str) -> Any:
    return container_client(azurite.endpoint_template, ACCOUNT, azurite.keys[ACCOUNT], name)


def _in_azure(azurite: AzuriteForTests, container: str, folder: str, config: Path) -> Delivery:
    root = f"{folder}/" if folder else ""

    async def with_blob(name: str, work: Callable[[BlobClient], Awaitable[Any]]) -> Any:
        async with _container(azurite, container) as client:
            return await work(client.get_blob_client(root + name))

    async def read(name: str) -> bytes:
        async def content(blob: BlobClient) -> bytes:
            return await (await blob.download_blob()).readall()

        found: bytes = await with_blob(name, content)
        return found

    arguments = ("--account", ACCOUNT, "--container", container, "--config", str(config))
    return Delivery(
        write=lambda name, content, _type: with_blob(name, lambda blob: blob.upload_blob(content, overwrite=True)),
        delete=lambda name: with_blob(name, lambda blob: blob.delete_blob()),
        read=read,
        arguments=(*arguments, "--folder", folder) if folder else arguments,
    )


def _in_directory(folder: Path, config: Path) -> Delivery:
    async def write(name: str, content: bytes, _content_type: str) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)

    async def delete(name: str) -> None:
        (folder / name).unlink()

    async def read(name: str) -> bytes:
        return (folder / name).read_bytes()

    return Delivery(write, delete, read, ("--path", str(folder), "--config", str(config)))


@pytest.fixture(params=["container", "folder", "directory"])
async def delivery(
    request: pytest.FixtureRequest, azurite: AzuriteForTests, container_name: str, consumer_config: Path, tmp_path: Path
) -> Delivery:
    """Everything of CONTENTS, delivered and signed."""
    if request.param == "directory":
        place = _in_directory(tmp_path / "received", consumer_config)
    else:
        folder = "in/Übung" if request.param == "folder" else ""
        async with _container(azurite, container_name) as client:
            await client.create_container()
            if folder:
                await client.upload_blob("in/beside.txt", b"of somebody else")
        place = _in_azure(azurite, container_name, folder, consumer_config)
    await deliver(CONTENTS, place.write, signer=SIGNER)
    return place


def objects(report: Mapping[str, Any]) -> dict[str, int]:
    """The findings that there are."""
    return {finding: count for finding, count in report["objects"].items() if count}


async def test_what_was_delivered_is_all_right(delivery: Delivery) -> None:
    code, report = await delivery.verify()
    assert (code, report["outcome"], report["findings"]) == (0, "ok", [])
    assert objects(report) == {"ok": len(CONTENTS)}
    assert report["signature"] == f"valid, of {PROVIDER}"
    assert report["bytesRead"] == sum(map(len, CONTENTS.values()))
    assert report["receipt"]["agreementId"] == "agreement-1"
    assert "nonce-1" not in json.dumps(report)


async def test_it_is_told_to_people_likewise(delivery: Delivery) -> None:
    code, output = await run(*delivery.arguments)
    assert code == 0
    assert f"{len(CONTENTS)} ok" in output


@dataclass(frozen=True)
class Tampering:
    changed: Mapping[str, bytes | None]
    finding: str


TAMPERINGS = {
    "content": Tampering({"large.bin": CONTENTS["large.bin"][:-1] + b"?"}, "digest differs"),
    "first byte": Tampering({"large.bin": b"?" + CONTENTS["large.bin"][1:]}, "digest differs"),
    "non-ascii name": Tampering({"folder/Übersicht 日本 50%.txt": b"names are TEXT"}, "digest differs"),
    "longer": Tampering({"a.csv": b"1,2,3,4"}, "size differs"),
    "no longer empty": Tampering({"empty": b"x"}, "size differs"),
    "missing": Tampering({"a.csv": None}, "missing"),
    "extra": Tampering({"zusätzlich": b"x"}, "extra"),
}


@pytest.mark.parametrize("case", TAMPERINGS.values(), ids=TAMPERINGS.keys())
async def test_every_object_that_differs_is_named(delivery: Delivery, case: Tampering) -> None:
    for name, content in case.changed.items():
        await (delivery.delete(name) if content is None else delivery.write(name, content, ""))
    code, report = await delivery.verify()
    assert (code, report["outcome"]) == (1, "mismatch")
    assert [(each["name"], each["finding"]) for each in report["findings"]] == [
        (name, case.finding) for name in case.changed
    ]


async def refused(delivery: Delivery, *arguments: str) -> tuple[int, str]:
    """Exit code and the code of the reason."""
    code, answer = await delivery.verify(*arguments)
    return code, answer["reason"]["code"]


async def test_a_tampered_manifest_is_refused_before_anything_is_read(delivery: Delivery) -> None:
    page = manifest_page_name(1)
    await delivery.write(page, (await delivery.read(page)).replace(b'"sizeBytes":5', b'"sizeBytes":6'), "")
    assert await refused(delivery) == (1, "ManifestAltered")
    await delivery.delete(page)
    assert await refused(delivery) == (1, "ManifestPageMissing")


async def test_a_tampered_marker_is_refused(delivery: Delivery) -> None:
    marker = parse_complete_marker(await delivery.read(COMPLETE))
    await delivery.write(COMPLETE, marker.model_copy(update={"agreement_id": "other"}).to_bytes(), "")
    assert await refused(delivery) == (1, "ReceiptSignature")
    await delivery.write(COMPLETE, b"{}", "")
    assert await refused(delivery) == (1, "MarkerMalformed")


async def test_another_manifest_with_a_foreign_signature_is_refused(delivery: Delivery) -> None:
    foreign = InMemoryVault({"k": private_pem(key_of("somebody else"))})
    signer = ReceiptSigner(vault=foreign, key_alias="k", clock=SystemClock())
    await delivery.write("a.csv", b"9,9,9", "")
    await write_receipt({**CONTENTS, "a.csv": b"9,9,9"}, delivery.write, signer=signer)
    assert await refused(delivery) == (1, "ReceiptSignerUnknown")
    code, report = await delivery.verify("--no-signature")
    assert (code, report["signature"]) == (0, "not checked")


async def test_an_unsigned_receipt_needs_to_be_asked_for(delivery: Delivery) -> None:
    await write_receipt(CONTENTS, delivery.write, signer=None)
    assert await refused(delivery) == (1, "ReceiptUnsigned")
    assert (await delivery.verify("--no-signature"))[0] == 0


async def test_a_key_can_be_named_and_has_to_be_the_right_one(delivery: Delivery, tmp_path: Path) -> None:
    (tmp_path / "other.pem").write_text(public_pem(key_of("somebody else")))
    (tmp_path / "none.pem").write_text("nothing")
    assert (await delivery.verify("--public-key", str(tmp_path / "provider.pem")))[0] == 0
    assert await refused(delivery, "--public-key", str(tmp_path / "other.pem")) == (1, "ReceiptSignerUnknown")
    assert await refused(delivery, "--public-key", str(tmp_path / "none.pem")) == (2, "ReceiptKey")
    assert await refused(delivery, "--public-key", str(tmp_path / "missing.pem")) == (2, "Configuration")


async def test_less_can_be_read(delivery: Delivery) -> None:
    await delivery.write("large.bin", CONTENTS["large.bin"][:-1] + b"?", "")
    code, report = await delivery.verify("--names-only")
    assert (code, objects(report), report["bytesRead"]) == (0, {"not read": len(CONTENTS)}, 0)
    code, report = await delivery.verify("--sample", "0")
    assert (code, report["bytesRead"]) == (0, 0)


async def test_a_place_without_a_receipt_cannot_be_checked(delivery: Delivery) -> None:
    await delivery.delete(COMPLETE)
    assert await refused(delivery) == (2, "TransferUncompleted")
    failed = FailedMarker(nonce="n", process_id="p", code="BlobNotFound", message="gone")
    await delivery.write(FAILED, failed.to_bytes(), "")
    code, answer = await delivery.verify()
    assert code == 2
    assert "BlobNotFound: gone" in answer["reason"]["message"]
    left = answer["left"]
    assert (left["objects"], left["bytes"]) == (len(CONTENTS), sum(map(len, CONTENTS.values())))
    assert sorted(left["names"]) == sorted(CONTENTS), "what a failed transfer left is listed"


async def test_a_transfer_is_found_by_its_process_and_the_receipt_must_be_its_own(
    azurite: AzuriteForTests, container_name: str, consumer_config: Path
) -> None:
    async with _container(azurite, container_name) as client:
        await client.create_container()
    await deliver(CONTENTS, _in_azure(azurite, container_name, "in", consumer_config).write, signer=SIGNER)
    destination = {"type": "AzureStorage", "account": ACCOUNT, "container": container_name, "folderName": "in"}
    process = {
        "@id": "consumer-process",
        "contractId": "agreement-1",
        "counterPartyId": PROVIDER,
        "dataDestination": destination,
    }
    answers = {
        "/v3/transferprocesses/consumer-process": [process],
        "/v3/transferprocesses/process-2": [{**process, "@id": "process-2"}],
        "/v3/transferprocesses/process-3": [{**process, "contractId": "agreement-3"}],
        "/v3/transferprocesses/process-4": [{**process, "counterPartyId": "did:web:other"}],
    }
    with scripted_management(**answers) as management:
        common = ("--config", str(consumer_config), "--url", management.url, "--json", "--process")
        assert (await run(*common, "consumer-process"))[0] == 0
        for process_id, code, reason in (
            ("process-2", 1, "ReceiptForeign"),
            ("process-3", 1, "ReceiptForeign"),
            ("process-4", 2, "Configuration"),
            ("process-5", 2, "Management"),
        ):
            exit_code, output = await run(*common, process_id)
            assert (exit_code, json.loads(output)["reason"]["code"]) == (code, reason), process_id


async def test_a_signature_that_reads_and_lists_is_enough_and_never_shown(
    azurite: AzuriteForTests, container_name: str, consumer_config: Path, tmp_path: Path
) -> None:
    async with _container(azurite, container_name) as client:
        await client.create_container()
    await deliver(CONTENTS, _in_azure(azurite, container_name, "", consumer_config).write, signer=SIGNER)
    terms = SasTerms.from_now(SystemClock().now(), lifetime_seconds=600, https_only=False)
    signer = SasSigner(ACCOUNT, SharedKey(azurite.keys[ACCOUNT]), terms)
    place = ("--account", ACCOUNT, "--container", container_name, "--endpoint", azurite.endpoint_template)
    key = ("--public-key", str(tmp_path / "provider.pem"), "--json")
    for listing, expected in ((True, 0), (False, 2)):
        token = signer.for_container(container_name, "rl" if listing else "r")
        code, output = await run(*place, *key, "--sas", token.query)
        assert code == expected, output
        assert "sig=" not in output


async def test_without_anything_that_opens_the_container_it_says_what_is_needed(container_name: str) -> None:
    code, output = await run("--account", ACCOUNT, "--container", container_name, "--json")
    assert (code, json.loads(output)["reason"]["code"]) == (2, "Configuration")


async def test_links_in_a_directory_are_not_followed(consumer_config: Path, tmp_path: Path) -> None:
    place = _in_directory(tmp_path / "received", consumer_config)
    await deliver({"a": b"12345"}, place.write, signer=SIGNER)
    await place.delete("a")
    (tmp_path / "beside").write_bytes(b"12345")
    (tmp_path / "received" / "a").symlink_to(tmp_path / "beside")
    code, report = await place.verify()
    assert code != 0
    assert [each["name"] for each in report["findings"]] == ["a"]
