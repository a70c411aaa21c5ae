"""A counterparty sees and touches its own processes only; to everybody else they do not exist. Over every route."""

import json
import warnings
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final
from urllib.parse import unquote

import httpx
import pytest
from fastapi.openapi.utils import get_openapi

from connector_spi.clock import SystemClock
from control_plane.adapters.client_id_identity import ClientIdIdentity
from control_plane.bootstrap import ControlPlane, build_control_plane
from control_plane.credential_messages import renewal_request
from control_plane.domain.contract_negotiation import NegotiationState, NegotiationType
from control_plane.domain.query import QuerySpec
from control_plane.domain.transfer_process import TransferProcessState, TransferProcessType
from control_plane.dsp_messages import message
from control_plane.settings import ControlPlaneSettings
from tests import control_plane_entities as examples
from vault_adapters.memory import InMemoryVault

US: Final = "did:web:us"
THEM: Final = "did:web:them"
OTHERS: Final = "did:web:others"
CALLBACK: Final = "https://others.example/2025-1"
BASE: Final = "/2025-1"

PROCESSES: Final = {
    "negotiations": ("n-as-provider", "n-as-consumer"),
    "transfers": ("t-as-provider", "t-as-consumer"),
}
OFFER: Final = {"@type": "Offer", "@id": "o", "target": "asset-1", "permission": [{"action": "use"}]}
TERMS: Final = {"target": "asset-1", "permission": [{"action": "use"}]}
AGREEMENT: Final = {
    "@type": "Agreement",
    "@id": "a-2",
    "assigner": OTHERS,
    "assignee": US,
    "timestamp": "2026-01-01T00:00:00Z",
    **TERMS,
}
MESSAGES: Final[dict[str, dict[str, tuple[str, dict[str, Any]]]]] = {
    "/negotiations/{pid}/request": {"request": ("ContractRequestMessage", {"offer": OFFER})},
    "/negotiations/{pid}/offers": {"offers": ("ContractOfferMessage", {"offer": OFFER})},
    "/negotiations/{pid}/agreement": {"agreement": ("ContractAgreementMessage", {"agreement": AGREEMENT})},
    "/negotiations/{pid}/agreement/verification": {
        "agreement/verification": ("ContractAgreementVerificationMessage", {})
    },
    "/negotiations/{pid}/events": {"events": ("ContractNegotiationEventMessage", {"eventType": "FINALIZED"})},
    "/negotiations/{pid}/termination": {"termination": ("ContractNegotiationTerminationMessage", {})},
    "/transfers/{pid}/{name}": {
        "start": ("TransferStartMessage", {}),
        "completion": ("TransferCompletionMessage", {}),
        "suspension": ("TransferSuspensionMessage", {}),
        "termination": ("TransferTerminationMessage", {}),
    },
    "/transfers/{pid}/credential": {"credential": ("", {})},
}
"""What is posted to a process, by route: the rest of the path, the type of the message, and what it needs."""
READS: Final = ("/negotiations/{pid}", "/transfers/{pid}")
OPENINGS: Final = ("/negotiations/request", "/negotiations/offers", "/transfers/request")
"""Begin a process of the caller's own."""
OF_NO_PROCESS: Final = ("/catalog/request", "/catalog/datasets/{dataset_id}")


@pytest.fixture
async def plane() -> AsyncIterator[ControlPlane]:
    settings = ControlPlaneSettings(
        participant_id=US,
        database_url="memory://",
        protocol_url="https://us.example",
        signaling_url="https://us.example",
    )
    identity = ClientIdIdentity(US)
    async with build_control_plane(settings, vault=InMemoryVault(), clock=SystemClock(), identity=identity) as plane:
        await _their_processes(plane)
        yield plane


async def _their_processes(plane: ControlPlane) -> None:
    """A negotiation and a transfer of each role with THEM, in states in which nothing happens by itself."""
    now = SystemClock().now()
    facts = {"counter_party_id": THEM, "participant_id": US, "state_timestamp": now, "contract_id": "a-1"}
    for name, kind in (
        ("t-as-provider", TransferProcessType.PROVIDER),
        ("t-as-consumer", TransferProcessType.CONSUMER),
    ):
        process = examples.transfer_process(
            name, type=kind, state=TransferProcessState.STARTED, correlation_id=f"their-{name}", **facts
        )
        await plane.stores.transfer_processes.create(process, due_at=None)
    del facts["contract_id"]
    await plane.stores.assets.create(examples.asset(participant_id=US))
    agreed = examples.agreement(
        "a-1", participant_id=US, provider_id=US, consumer_id=THEM, negotiation_id="n-as-provider"
    )
    for name, type_, state, agreement in (
        ("n-as-provider", NegotiationType.PROVIDER, NegotiationState.FINALIZED, agreed),
        ("n-as-consumer", NegotiationType.CONSUMER, NegotiationState.REQUESTED, None),
    ):
        negotiation = examples.negotiation(
            name, type=type_, state=state, correlation_id=f"their-{name}", agreement=agreement, **facts
        )
        await plane.stores.contract_negotiations.create(negotiation, due_at=None)


async def call(plane: ControlPlane, sender: str, method: str, path: str, body: Any = None) -> httpx.Response:
    transport = httpx.ASGITransport(plane.protocol_app)
    async with httpx.AsyncClient(transport=transport, base_url="https://us.example") as client:
        headers = {"Authorization": json.dumps({"clientId": sender})}
        return await client.request(method, BASE + path, json=body, headers=headers)


def calls_on(kind: str, pid: str, own: str) -> Iterator[tuple[str, str, Any]]:
    """Every call on a process, with `pid` in the path; the bodies are right for the process `own`."""
    other = f"their-{own}"
    pids = (own, other) if own.endswith("consumer") else (other, own)
    yield "GET", f"/{kind}/{pid}", None
    for route, messages in MESSAGES.items():
        if route.startswith(f"/{kind}/"):
            for rest, (message_type, members) in messages.items():
                body = message(message_type, consumerPid=pids[0], providerPid=pids[1], **members)
                if rest == "credential":  # it compares the path with the body before it looks for the process
                    body = renewal_request(message_id="m", consumer_pid=unquote(pid), provider_pid=pids[1])
                yield "POST", f"/{kind}/{pid}/{rest}", body


async def test_no_route_is_forgotten(plane: ControlPlane) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        served = get_openapi(title="x", version="x", routes=plane.protocol_app.routes)["paths"]
    below = {path.removeprefix(BASE) for path in served}
    assert below == {*MESSAGES, *READS, *OPENINGS, *OF_NO_PROCESS}
    outside = [path for route in plane.protocol_app.routes if (path := getattr(route, "path", None)) not in served]
    assert [path for path in outside if path] == ["/.well-known/dspace-version"]


@pytest.mark.parametrize(("kind", "own"), [(kind, own) for kind, names in PROCESSES.items() for own in names])
async def test_to_others_a_process_does_not_exist_under_any_of_its_ids(
    plane: ControlPlane, kind: str, own: str
) -> None:
    before = await everything(plane)
    encoded = "".join(f"%{ord(character):02x}" for character in own)
    for pid in (own, encoded, f"their-{own}", own.upper(), f"{own}%20", "a-1", "asset-1"):
        for method, path, body in calls_on(kind, pid, own):
            answer = await call(plane, OTHERS, method, path, body)
            assert answer.status_code == 404, f"{method} {path}: {answer.status_code}"
    assert await everything(plane) == before


@pytest.mark.parametrize(("kind", "own"), [(kind, own) for kind, names in PROCESSES.items() for own in names])
async def test_what_others_are_told_is_what_they_are_told_about_nothing(
    plane: ControlPlane, kind: str, own: str
) -> None:
    """Nothing in the answer tells whether there is such a process."""
    for (method, path, body), (_, elsewhere, same) in zip(
        calls_on(kind, own, own), calls_on(kind, "n-nothing-at-all", own), strict=True
    ):
        there = await call(plane, OTHERS, method, path, body)
        nowhere = await call(plane, OTHERS, method, elsewhere, same)
        assert there.text.replace(own, "X") == nowhere.text.replace("n-nothing-at-all", "X").replace(own, "X"), path


@pytest.mark.parametrize(("kind", "own"), [(kind, own) for kind, names in PROCESSES.items() for own in names])
async def test_its_counterparty_reaches_it_on_every_route(plane: ControlPlane, kind: str, own: str) -> None:
    """Otherwise the tests above would prove nothing: a 404 may have other reasons."""
    for method, path, body in calls_on(kind, own, own):
        answer = await call(plane, THEM, method, path, body)
        unserved = "credential" in path and own.endswith("provider")
        assert (answer.status_code == 404) == unserved, f"{method} {path}: {answer.status_code} {answer.text}"


async def test_a_process_of_others_under_the_same_ids_is_a_process_of_its_own(plane: ControlPlane) -> None:
    """A repeated request is answered with the process that it began; that of another sender begins another one."""
    asked = {
        "/negotiations/request": message(
            "ContractRequestMessage",
            consumerPid="their-n-as-provider",
            callbackAddress=CALLBACK,
            offer=OFFER,
        ),
        "/negotiations/offers": message(
            "ContractOfferMessage",
            providerPid="their-n-as-consumer",
            callbackAddress=CALLBACK,
            offer={**OFFER, "assigner": OTHERS},
        ),
        "/transfers/request": message(
            "TransferRequestMessage",
            consumerPid="their-t-as-provider",
            agreementId="a-1",
            format="HttpData-PULL",
            callbackAddress=CALLBACK,
        ),
    }
    assert set(asked) == set(OPENINGS)
    theirs = {name for names in PROCESSES.values() for name in names}
    for path, body in asked.items():
        answer = await call(plane, OTHERS, "POST", path, body)
        assert not [name for name in theirs if f'"{name}"' in answer.text], path
        assert answer.status_code == (201 if path == "/negotiations/offers" else 404), f"{path}: {answer.text}"


async def everything(plane: ControlPlane) -> list[Any]:
    stores = plane.stores
    return [
        *await stores.contract_negotiations.query(QuerySpec()),
        *await stores.transfer_processes.query(QuerySpec()),
    ]
