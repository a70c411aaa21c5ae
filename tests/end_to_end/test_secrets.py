"""No secret is anywhere but in the vaults and in the written list of wire fields (DESIGN: architecture.md, secrets).

The list: the SAS in the `secret` property of the TransferRequestMessage and, where the data plane has a vault of its
own, of the start of its flow; the API key in X-Api-Key of a client; the signaling token in the Authorization header
between control plane and data plane. These tests plant secrets that they can recognise, run transfers to every kind of
end, and search everything that was written and everything that was sent.
"""

import base64
import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from connector_cli.azurite import running_azurite
from connector_cli.demo.flow_watch import wait_for_bytes
from connector_cli.demo.organisation import API_KEY, SIGNALING_TOKEN, SIGNING_KEY
from connector_cli.demo.ports import free_ports
from connector_cli.demo.sample_files import MEBIBYTE
from connector_spi.data_address import EDC_NAMESPACE, SECRET
from connector_spi.errors import SecretNotFoundError
from tests.conftest import AzuriteForTests
from tests.end_to_end.recording_relay import Recording, recording_relay
from tests.end_to_end.secret_search import holds, shown_by, written_below
from tests.end_to_end.stage import Stage, two_organisations
from tests.eventually import eventually

pytestmark = [pytest.mark.azurite, pytest.mark.end_to_end]

_SECTIONS = {"MANAGEMENT": 0, "PROTOCOL": 1, "SIGNALING": 2}


@pytest.fixture
async def planted_azurite(tmp_path: Path) -> AsyncIterator[AzuriteForTests]:
    """An Azurite whose account keys can be recognised."""
    keys = {
        account: base64.b64encode(f"PLANTED-KEY-OF-{account}".encode().ljust(64, b"#")).decode()
        for account in ("providerorg", "consumerorg")
    }
    async with running_azurite(accounts=keys, data_folder=tmp_path / "azurite", in_memory=True) as running:
        yield AzuriteForTests(running.endpoint_template, keys)


async def _vault_secrets(stage: Stage) -> dict[str, str]:
    """Every secret at rest, by `<owner>:<alias>`."""
    vaults = {"provider": stage.provider.open_vault(), "consumer": stage.consumer.open_vault()}
    if not stage.provider.shares_vault:
        vaults["data plane"] = stage.provider.open_data_plane_vault()
    found = {}
    for owner, vault in vaults.items():
        for alias in await vault.aliases():
            # Between the two calls a transfer may have ended, and its secret been deleted.
            with suppress(SecretNotFoundError):
                found[f"{owner}:{alias}"] = await vault.resolve(alias)
        await vault.aclose()
    return found


def _signatures(secrets: dict[str, str]) -> set[str]:
    return {match for text in secrets.values() for match in re.findall(r"sig=([^&\"\\]+)", text)}


@dataclass(slots=True)
class SeenAtRest:
    """What lay in the vaults while transfers ran: signatures, and the places where they were."""

    stage: Stage
    signatures: set[str] = field(default_factory=set)
    places: set[str] = field(default_factory=set)

    async def look(self) -> None:
        for place, secret in (await _vault_secrets(self.stage)).items():
            if found := _signatures({place: secret}):
                self.signatures |= found
                self.places.add(place)


@pytest.mark.parametrize("shares_vault", [True, False], ids=["shared vault", "data plane with its own vault"])
async def test_secrets_stay_in_the_vaults(planted_azurite: AzuriteForTests, tmp_path: Path, shares_vault: bool) -> None:
    folder = tmp_path / "organisations"
    async with AsyncExitStack() as stack:
        stage, recordings = await _recorded_stage(stack, planted_azurite, folder, shares_vault=shares_vault)
        lasting = await _vault_secrets(stage)
        seen = SeenAtRest(stage)
        await stage.upload("good/a.bin", bytes(30 * MEBIBYTE))
        await stage.upload("big.bin", bytes(160 * MEBIBYTE))
        await stage.offer("good", blobPrefix="good/")
        await stage.offer("lost", blobName="no-such-blob")
        await stage.offer("big", blobName="big.bin")

        good = await stage.ended(await stage.start(await stage.agree("good")), meanwhile=seen.look)
        lost = await stage.ended(await stage.start(await stage.agree("lost")), meanwhile=seen.look)
        agreement = await stage.agree("big")
        paused = await _suspended_and_resumed(stage, agreement, seen)
        cancelled = await _terminated(stage, agreement, seen)
        ends = [process["state"] for process in (good, lost, paused, cancelled)]
        assert ends == ["COMPLETED", "TERMINATED", "COMPLETED", "TERMINATED"]
        for process in (good, lost, paused, cancelled):
            await stage.deprovision(process["@id"])
        arguments = [shown_by(process) for process in stage.processes.values()]

        async def only_the_lasting_ones_are_left() -> bool:
            return await _vault_secrets(stage) == lasting

        await eventually(only_the_lasting_ones_are_left)
    written = written_below(folder)
    _check_vaults(seen, lasting, shares_vault=shares_vault)
    _check_audit(written, [process["@id"] for process in (good, paused, cancelled)])
    signatures = seen.signatures

    # At rest: in no file but the vault's key (which is none of these), in no argument, in no environment.
    everything = {**written, "arguments": b"\n".join(arguments)}
    for place, content in everything.items():
        for name, secret in {**lasting, **{f"sas {s[:6]}": s for s in signatures}}.items():
            assert not holds(content, secret), f"{name} is in {place}"

    _check_wire(stage, recordings, lasting, signatures)


async def _suspended_and_resumed(stage: Stage, agreement: str, seen: SeenAtRest) -> dict[str, Any]:
    """A transfer that is suspended while it runs, and then resumed."""
    process_id = await _running(stage, agreement)
    async with stage.consumer.client() as consumer:

        async def is_suspended() -> bool:
            return await consumer.transfer_state(process_id) == "SUSPENDED"

        path, body = f"/v3/transferprocesses/{process_id}", {"@type": "SuspendTransfer", "reason": "pause"}
        await consumer.call("POST", f"{path}/suspend", body)
        await eventually(is_suspended)
        await consumer.call("POST", f"{path}/resume")
    return await stage.ended(process_id, meanwhile=seen.look)


async def _terminated(stage: Stage, agreement: str, seen: SeenAtRest) -> dict[str, Any]:
    """A transfer that its client ends while it runs."""
    process_id = await _running(stage, agreement)
    async with stage.consumer.client() as consumer:
        body = {"@type": "TerminateTransfer", "reason": "no longer needed"}
        await consumer.call("POST", f"/v3/transferprocesses/{process_id}/terminate", body)
    return await stage.ended(process_id, meanwhile=seen.look)


async def _running(stage: Stage, agreement: str) -> str:
    """Start the large transfer; returns when bytes flow and the consumer knows of the start."""
    process_id = await stage.start(agreement)
    assert 0 < await wait_for_bytes(stage.provider, process_id, MEBIBYTE) < 160 * MEBIBYTE
    async with stage.consumer.client() as consumer:

        async def is_started() -> bool:
            return await consumer.transfer_state(process_id) == "STARTED"

        await eventually(is_started)
    return process_id


def _check_vaults(seen: SeenAtRest, lasting: dict[str, str], *, shares_vault: bool) -> None:
    """Each SAS lay in the vault of whoever received it; the source account's key is where the data plane reads it."""
    owners = {place.split(":")[0] for place in seen.places}
    assert owners == ({"provider", "consumer"} | (set() if shares_vault else {"data plane"}))
    assert all(re.match(r"provider:transfer-process-|consumer:|data plane:data-flow-", place) for place in seen.places)
    assert ("provider:providerorg" in lasting) is shares_vault
    assert ("data plane:providerorg" in lasting) is not shares_vault


async def _recorded_stage(
    stack: AsyncExitStack, azurite: AzuriteForTests, folder: Path, *, shares_vault: bool
) -> tuple[Stage, dict[str, Recording]]:
    """The stage with a recording relay before every listener."""
    environment: dict[str, dict[str, str]] = {}
    behind = dict(zip(("provider", "consumer"), (free_ports(4), free_ports(4)), strict=True))
    for name, ports in behind.items():
        environment[name] = {f"CONNECTOR_{section}__PORT": str(ports[at]) for section, at in _SECTIONS.items()}
    environment["data plane"] = {"CONNECTOR_DATA_PLANE__PORT": str(behind["provider"][3])}
    recordings: dict[str, Recording] = {}

    async def before_start(stage: Stage) -> None:
        for name, ports in behind.items():
            advertised = (stage.provider if name == "provider" else stage.consumer).ports
            for section, at in {**_SECTIONS, "DATA_PLANE": 3}.items():
                relay = recording_relay(advertised[at], ports[at])
                recordings[f"{name} {section}"] = await stack.enter_async_context(relay)

    context = two_organisations(
        azurite, folder, "outbox", environment, shares_vault=shares_vault, before_start=before_start
    )
    return await stack.enter_async_context(context), recordings


def _check_wire(stage: Stage, recordings: dict[str, Recording], lasting: dict[str, str], signatures: set[str]) -> None:
    kept_at_home = [v for k, v in lasting.items() if k.split(":")[1] not in {API_KEY, SIGNALING_TOKEN}]
    assert any(SIGNING_KEY in k for k in lasting)
    for name, recording in recordings.items():
        assert not any(holds(recording.everything(), secret) for secret in kept_at_home), name
    for side in (stage.provider, stage.consumer):
        answers = b"\n".join(recordings[f"{side.name} MANAGEMENT"].answers)
        assert answers, "nothing was recorded: the test looks at the wrong place"
        for secret in [*lasting.values(), *signatures]:
            assert not holds(answers, secret)
    # The SAS: on its way to the provider and to a data plane that cannot read the provider's vault, and nowhere else.
    carriers = {"provider PROTOCOL": b"/protocol/2025-1/transfers/request "}
    if not stage.provider.shares_vault:
        carriers["provider DATA_PLANE"] = b"/dataflows/start "
    for name, recording in recordings.items():
        _check_signatures_in(recording, signatures, carriers.get(name), name)
    # The signaling token: in Authorization headers only.
    token = next(v for k, v in lasting.items() if k == f"provider:{SIGNALING_TOKEN}")
    for recording in recordings.values():
        text = recording.everything()
        assert text.count(token.encode()) == text.lower().count(b"authorization: bearer " + token.lower().encode())


def _check_signatures_in(recording: Recording, signatures: set[str], carrier: bytes | None, name: str) -> None:
    """No signature is anywhere but in the address's `secret`, in messages to the path `carrier`, which hold some."""
    assert not any(holds(bytes(answer), s) for answer in recording.answers for s in signatures), name
    messages = [
        m for request in recording.requests for m in re.split(rb"(?=(?:GET|POST|PUT) /\S* HTTP/1\.1\r\n)", request)
    ]
    holding = [m for m in messages if any(holds(m, s) for s in signatures)]
    if carrier is None:
        assert not holding, name
        return
    assert holding, f"{name}: the SAS was never sent: the test looks at the wrong place"
    for message in holding:
        assert message.startswith(b"POST " + carrier), name
        head, _, body = message.partition(b"\r\n\r\n")
        document = json.loads(body)
        properties = document["dataAddress"]["endpointProperties"]
        secret = [p for p in properties if p["name"] == EDC_NAMESPACE + SECRET]
        assert len(secret) == 1, name
        properties.remove(secret[0])
        rest = head + json.dumps(document, ensure_ascii=False).encode()
        assert not any(holds(rest, s) for s in signatures), name


SWEPT = {
    "CONNECTOR_TRANSFER__ORPHANED_SECRET_SECONDS": "3",
    "CONNECTOR_DATA_PLANE__ORPHANED_SECRET_SECONDS": "3",
}
OF_NOBODY = "transfer-process-of-nobody-data-address"


async def test_after_crashes_no_secret_of_the_transfer_is_left_and_orphans_are_swept(
    azurite: AzuriteForTests, tmp_path: Path, container_name: str
) -> None:
    environment = dict.fromkeys(("provider", "consumer", "data plane"), SWEPT)
    async with two_organisations(azurite, tmp_path, container_name, environment, shares_vault=False) as stage:
        # As another control plane has it that shares the vault; or as it is left when a database comes from a backup.
        vault = stage.consumer.open_vault()
        await vault.store(OF_NOBODY, "sv=2025-01-05&sig=PLANTED-ORPHAN")
        await vault.aclose()
        lasting = await _vault_secrets(stage)
        await stage.upload("big.bin", bytes(160 * MEBIBYTE))
        await stage.offer("big", blobName="big.bin")
        process_id = await _running(stage, await stage.agree("big"))
        for victim in ("data plane", "provider", "consumer"):
            await stage.processes[victim].kill()
            await stage.processes[victim].start()
        process = await stage.ended(process_id, seconds=240)
        assert process["state"] == "COMPLETED", process

        async def only_the_lasting_ones_are_left() -> bool:
            return await _vault_secrets(stage) == lasting

        await eventually(only_the_lasting_ones_are_left)
    logs = b"\n".join(content for name, content in written_below(tmp_path).items() if name.endswith(".log"))
    told = [line for line in logs.splitlines() if OF_NOBODY.encode() in line]
    assert any(b"seems to be nobody" in line and b"there is no such transfer" in line for line in told)
    assert not any(b"removed" in line or b"secret deleted" in line for line in told)
    assert b"PLANTED-ORPHAN" not in logs


def _check_audit(written: dict[str, bytes], process_ids: list[str]) -> None:
    """Who stored, read and deleted the signature of each transfer is in the log, on both sides."""
    logs = b"\n".join(content for name, content in written.items() if name.endswith(".log"))
    audit = [line for line in logs.splitlines() if b"connector.audit.vault" in line]
    for actor in (b"connector consumer", b"connector provider"):
        assert any(actor in line for line in audit), actor
    for process_id in process_ids:
        alias = f"transfer-process-{process_id}-data-address".encode()
        operations = {
            operation
            for line in audit
            if alias in line
            for operation in (b"stored", b"read", b"deleted")
            if b"secret " + operation in line
        }
        assert operations == {b"stored", b"read", b"deleted"}
