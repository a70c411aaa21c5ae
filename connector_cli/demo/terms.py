"""The demo's part about terms: a counter-offer, then a push and a pull under the agreement, each paused and resumed."""

import asyncio
import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import httpx

from connector_cli.demo import parts
from connector_cli.demo.flow_watch import provider_process, wait_for_bytes
from connector_cli.demo.sample_files import FILES, LARGE, SampleFile
from connector_cli.management_client import ManagementClient, ManagementError, offers_of
from connector_cli.pulled_data import PulledData

WINDOWED: Final = "windowed-measurement"
_WINDOW: Final = {"leftOperand": "inForceDate", "operator": "lteq", "rightOperand": "contractAgreement+30d"}
_ODRL: Final = "http://www.w3.org/ns/odrl.jsonld"
_PART: Final = "terms"
_PAUSE_SECONDS: Final = 60.0
_NOT_FOUND: Final = 404
_UNAUTHORIZED: Final = 401


async def offer_for_thirty_days(stage: parts.Stage) -> None:
    """The provider offers the large file for thirty days from the agreement on."""
    place = {"type": "AzureStorage", "account": stage.provider.account, "container": "outbox"}
    policy = {"@context": _ODRL, "@type": "Set", "permission": [{"action": "use", "constraint": [_WINDOW]}]}
    only_this = [{"operandLeft": "id", "operator": "=", "operandRight": WINDOWED}]
    async with stage.provider.client() as provider:
        data = {**place, "blobName": parts.SOURCE_PREFIX + LARGE}
        await provider.create("assets", {"@id": WINDOWED, "properties": {"name": WINDOWED}, "dataAddress": data})
        await provider.create("policydefinitions", {"@id": "thirty-days", "policy": policy})
        body = {"@id": "for-thirty-days", "accessPolicyId": "use", "contractPolicyId": "thirty-days"}
        await provider.create("contractdefinitions", {**body, "assetsSelector": only_this})


async def counter_offer(stage: parts.Stage) -> None:
    """The consumer asks for more than is offered, gets the provider's terms back, and accepts them."""
    address, provider_id = stage.provider.protocol_url, stage.provider.name
    async with stage.consumer.client() as consumer:
        offer = offers_of(await consumer.catalog(address, provider_id))[WINDOWED]
        wish = {"@context": _ODRL, "@type": "Offer", "@id": offer["@id"], "assigner": provider_id, "target": WINDOWED}
        negotiation_id = await consumer.create(
            "contractnegotiations",
            {
                "counterPartyAddress": address,
                "counterPartyId": provider_id,
                "protocol": "dataspace-protocol-http:2025-1",
                "policy": {**wish, "permission": [{"action": "use"}]},
            },
        )
        stage.console.print("  consumer asks for use without an end", highlight=False)
        waiting = await consumer.settled_negotiation(negotiation_id, wait_seconds=_PAUSE_SECONDS)
        offered = waiting["state"] == "OFFERED" and bool(waiting["pending"]) and "+30d" in str(waiting["offer"])
        stage.checklist.note(_PART, "the provider answers with its own terms", held=offered, seen=waiting["state"])
        await consumer.decide(negotiation_id, "accept")
        agreed = await consumer.settled_negotiation(negotiation_id, wait_seconds=_PAUSE_SECONDS, decided=waiting)
        stage.checklist.note(
            _PART, "accepted: state FINALIZED", held=agreed["state"] == "FINALIZED", seen=agreed["state"]
        )
        agreement_id = str(agreed["contractAgreementId"])
        shown = []
        for side in (stage.consumer, stage.provider):
            async with side.client() as client:
                agreement = await client.call("GET", f"/v3/contractagreements/{agreement_id}")
                shown.append({name: agreement[name] for name in ("policy", "contractSigningDate", "assetId")})
        held = shown[0] == shown[1] and "+30d" in str(shown[0])
        stage.checklist.note(_PART, "both sides hold the same agreement, with the window", held=held)
        stage.agreements[WINDOWED] = agreement_id


async def paused_push(stage: parts.Stage) -> None:
    """The large file is pushed, paused by the consumer in the middle, and resumed."""
    large = _large_file()
    async with stage.consumer.client() as consumer:
        process_id = await parts.start(stage, consumer, WINDOWED, "demo-paused")
        await wait_for_bytes(stage.provider, process_id, large.size_bytes // 8)
        await consumer.call(
            "POST", f"/v3/transferprocesses/{process_id}/suspend", {"reason": "The demo wants a pause."}
        )
        both = await _both_become(stage, consumer, process_id, "SUSPENDED")
        stage.checklist.note("push", "paused in the middle, on both sides", held=both)
        await consumer.call("POST", f"/v3/transferprocesses/{process_id}/resume")
        process = await parts.watch(stage, consumer, process_id, (large,))
        stage.checklist.note("push", "state COMPLETED", held=process["state"] == "COMPLETED", seen=process["state"])
        await parts.verify(stage, "push", process, (large,))
        await parts.deprovision(stage, "push", consumer, process)


async def paused_pull(stage: parts.Stage) -> None:
    """The same file is pulled over HTTP: a pause closes the door, and going on opens it with a new token."""
    large = _large_file()
    async with stage.consumer.client() as consumer:
        process_id = await parts.start(
            stage, consumer, WINDOWED, "demo-pull", transferType="HttpData-PULL", dataDestination=None
        )
        await _both_become(stage, consumer, process_id, "STARTED")
        first = await consumer.data_address(process_id)
        await consumer.call(
            "POST", f"/v3/transferprocesses/{process_id}/suspend", {"reason": "The demo wants a pause."}
        )
        paused = await _both_become(stage, consumer, process_id, "SUSPENDED")
        closed = paused and await _refused(first) and await _has_no_address(consumer, process_id)
        stage.checklist.note("pull", "a pause closes the door", held=closed)
        await consumer.call("POST", f"/v3/transferprocesses/{process_id}/resume")
        await _both_become(stage, consumer, process_id, "STARTED")
        second = await consumer.data_address(process_id)
        fresh = second["authorization"] != first["authorization"] and await _refused(first)
        stage.checklist.note("pull", "going on gives a new token, and only the new one opens it", held=fresh)
        digest = await _digest_of_pulled(second)
        stage.checklist.note("pull", "digest of what was pulled", held=digest == large.sha256(), seen=digest[:16])
        await consumer.complete(process_id)
        ended = await _both_become(stage, consumer, process_id, "COMPLETED")
        stage.checklist.note("pull", "completed, and the address opens nothing", held=ended and await _refused(second))


def _large_file() -> SampleFile:
    return next(file for file in FILES if file.name == LARGE)


async def _both_become(stage: parts.Stage, consumer: ManagementClient, process_id: str, state: str) -> bool:
    """Wait until both sides show the state; False when they do not in time."""
    try:
        async with asyncio.timeout(_PAUSE_SECONDS):
            while True:
                theirs = (await provider_process(stage.provider, process_id))["state"]
                if (await consumer.transfer_state(process_id), theirs) == (state, state):
                    return True
                stage.narrator.tell()
                await asyncio.sleep(0.1)
    except TimeoutError:
        return False


async def _refused(address: dict[str, Any]) -> bool:
    headers = {"Authorization": f"Bearer {address['authorization']}"}
    async with httpx.AsyncClient(headers=headers, timeout=20, trust_env=False) as http:
        return (await http.head(address["endpoint"])).status_code == _UNAUTHORIZED


async def _has_no_address(consumer: ManagementClient, process_id: str) -> bool:
    try:
        await consumer.data_address(process_id)
    except ManagementError as error:
        return error.status == _NOT_FOUND
    return False


async def _digest_of_pulled(address: dict[str, Any]) -> str:
    digest = hashlib.sha256()
    with TemporaryDirectory(prefix="connector-demo-pull-") as folder:
        async for name, _ in PulledData(address, single_name="pulled.bin").fetch(Path(folder)):
            with (Path(folder) / name).open("rb") as content:
                while block := content.read(1024 * 1024):
                    digest.update(block)
    return digest.hexdigest()
