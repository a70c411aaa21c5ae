"""No secret is anywhere but in the vaults and in the written list of wire fields (DESIGN: architecture.md, secrets).

The list: the SAS in the `secret` property of the TransferRequestMessage; the API key in X-Api-Key of a client;
the signaling token in the Authorization header between control plane and data plane. This test plants secrets that it
can recognise, runs good and failing transfers, and searches everything that was written and everything that was sent.
"""

import base64
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import quote, unquote

import pytest

from connector_cli.azurite import running_azurite
from connector_cli.demo.organisation import API_KEY, SIGNALING_TOKEN, SIGNING_KEY
from connector_cli.demo.processes import free_ports
from tests.conftest import AzuriteForTests
from tests.end_to_end.recording_relay import Recording, recording_relay
from tests.end_to_end.stage import Stage, two_organisations

pytestmark = [pytest.mark.azurite, pytest.mark.end_to_end]

_SECTIONS = {"MANAGEMENT": 0, "PROTOCOL": 1, "SIGNALING": 2}


def _forms(secret: str) -> set[bytes]:
    """The secret as it could be written: plain, percent-encoded, decoded, as base64 and inside JSON."""
    texts = {secret, quote(secret, safe=""), unquote(secret), secret.replace("/", "\\/"), secret.replace("\n", "\\n")}
    encoded = {base64.b64encode(text.encode()).decode().rstrip("=") for text in texts}
    return {text.encode() for text in texts | encoded}


def _holds(haystack: bytes, secret: str) -> bool:
    return any(form in haystack for form in _forms(secret))


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
    found = {}
    for side in (stage.provider, stage.consumer):
        vault = side.open_vault()
        for alias in await vault.aliases():
            found[f"{side.name}:{alias}"] = await vault.resolve(alias)
        await vault.aclose()
    return found


def _signatures(secrets: dict[str, str]) -> set[str]:
    return {match for text in secrets.values() for match in re.findall(r"sig=([^&\"\\]+)", text)}


async def test_secrets_stay_in_the_vaults(planted_azurite: AzuriteForTests, tmp_path: Path) -> None:
    signatures: set[str] = set()
    folder = tmp_path / "organisations"
    async with AsyncExitStack() as stack:
        stage, recordings = await _recorded_stage(stack, planted_azurite, folder)
        lasting = await _vault_secrets(stage)
        await stage.upload("good/a.bin", bytes(30 * 1024 * 1024))
        await stage.offer("good", blobPrefix="good/")
        await stage.offer("lost", blobName="no-such-blob")

        async def watch_the_vaults() -> None:
            signatures.update(_signatures(await _vault_secrets(stage)))

        good = await stage.ended(await stage.start(await stage.agree("good")), meanwhile=watch_the_vaults)
        lost = await stage.ended(await stage.start(await stage.agree("lost")), meanwhile=watch_the_vaults)
        assert (good["state"], lost["state"]) == ("COMPLETED", "TERMINATED")
        await stage.deprovision(good["@id"])
        arguments = [
            (Path("/proc") / str(process.pid) / name).read_bytes()
            for process in stage.processes.values()
            for name in ("cmdline", "environ")
        ]
        left = await _vault_secrets(stage)
    written = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert signatures, "no SAS was ever seen in a vault: the test looks at the wrong place"
    assert left == lasting

    # At rest: in no file but the vault's key (which is none of these), in no argument, in no environment.
    everything = {**{f"file {k}": v for k, v in written.items()}, "arguments": b"\n".join(arguments)}
    for place, content in everything.items():
        for name, secret in {**lasting, **{f"sas {s[:6]}": s for s in signatures}}.items():
            assert not _holds(content, secret), f"{name} is in {place}"

    _check_wire(stage, recordings, lasting, signatures)


async def _recorded_stage(
    stack: AsyncExitStack, azurite: AzuriteForTests, folder: Path
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

    context = two_organisations(azurite, folder, "outbox", environment, before_start=before_start)
    return await stack.enter_async_context(context), recordings


def _check_wire(stage: Stage, recordings: dict[str, Recording], lasting: dict[str, str], signatures: set[str]) -> None:
    kept_at_home = [v for k, v in lasting.items() if k.split(":")[1] not in {API_KEY, SIGNALING_TOKEN}]
    assert any(SIGNING_KEY in k for k in lasting)
    for name, recording in recordings.items():
        assert not any(_holds(recording.everything(), secret) for secret in kept_at_home), name
    for side in (stage.provider, stage.consumer):
        answers = b"\n".join(recordings[f"{side.name} MANAGEMENT"].answers)
        assert answers, "nothing was recorded: the test looks at the wrong place"
        for secret in [*lasting.values(), *signatures]:
            assert not _holds(answers, secret)
    # The SAS: on its way to the provider, inside a TransferRequestMessage, and nowhere else.
    asked = [bytes(r) for r in recordings["provider PROTOCOL"].requests]
    holding = [r for r in asked if any(_holds(r, s) for s in signatures)]
    assert holding, "the SAS was never sent: the test looks at the wrong place"
    for request in holding:
        for message in request.split(b"POST ")[1:]:
            if any(_holds(message, s) for s in signatures):
                assert message.startswith(b"/protocol/2025-1/transfers/request ")
    for name, recording in recordings.items():
        elsewhere = [*recording.answers, *([] if name == "provider PROTOCOL" else recording.requests)]
        assert not any(_holds(bytes(part), s) for part in elsewhere for s in signatures), name
    # The signaling token: in Authorization headers only.
    token = next(v for k, v in lasting.items() if k == f"provider:{SIGNALING_TOKEN}")
    for recording in recordings.values():
        text = recording.everything()
        assert text.count(token.encode()) == text.lower().count(b"authorization: bearer " + token.lower().encode())
