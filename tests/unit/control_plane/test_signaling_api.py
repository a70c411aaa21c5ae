"""What data planes may report, each of its own flows only."""

from typing import Any

import httpx
import pytest

from connector_spi.clock import SystemClock
from control_plane.adapters.data_plane_identity import SharedTokens
from control_plane.domain.inbox import InboxMessage
from control_plane.domain.transfer_process import TransferProcessState, TransferProcessType
from control_plane.ports.stores import Stores
from control_plane.services.data_flow_service import DataFlowService
from control_plane.services.transfer_addresses import TransferAddresses
from control_plane.signaling_api.app import create_signaling_app
from control_plane.signaling_api.callbacks import callbacks_router
from control_plane.signaling_api.exchange import SignalingExchange
from tests.control_plane_entities import moment, transfer_process
from vault_adapters.memory import InMemoryVault

S = TransferProcessState
TOKENS = {"plane-1": "token-1", "plane-2": "token-2", "plane-1b": "token-1"}
SECRETS = {"token-1": "first", "token-2": "second"}
CALLBACKS = ("started", "completed", "errored", "progress")


async def call(
    stores: Stores,
    name: str,
    body: Any = None,
    *,
    token: str | None = "first",
    process_id: str = "t-1",
    vault: InMemoryVault | None = None,
) -> httpx.Response:
    vault = vault or InMemoryVault(dict(SECRETS))
    addresses = TransferAddresses(vault, stores.transfer_processes)
    service = DataFlowService(stores=stores, addresses=addresses, clock=SystemClock())
    app = create_signaling_app(callbacks_router(SignalingExchange(SharedTokens(vault, TOKENS)), service))
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://us") as client:
        path = f"/transfers/{process_id}/dataflow/{name}"
        if isinstance(body, bytes):
            return await client.post(path, content=body, headers=headers)
        return await client.post(path, json=body or {}, headers=headers)


async def known(stores: Stores, state: S, **changes: Any) -> None:
    facts = {"type": TransferProcessType.PROVIDER, "state": state, "data_plane_id": "plane-1", **changes}
    await stores.transfer_processes.create(transfer_process(**facts), due_at=None)


async def waiting(stores: Stores) -> list[InboxMessage]:
    leased = await stores.transfer_processes.lease_due(now=moment(1e9), limit=9, lease_seconds=60, owner="test")
    return [note for found in leased for note in found.inbox]


@pytest.mark.parametrize(
    ("state", "name", "kind"),
    [
        (S.STARTUP_REQUESTED, "started", "CONFIRM_STARTUP"),
        (S.STARTED, "completed", "COMPLETE"),
        (S.STARTING, "completed", "COMPLETE"),
        (S.STARTED, "errored", "TERMINATE"),
    ],
)
async def test_a_report_is_noted_once_however_often_it_comes(stores: Stores, state: S, name: str, kind: str) -> None:
    await known(stores, state)
    for _ in range(3):
        assert (await call(stores, name)).status_code == 200
    assert [note.kind for note in await waiting(stores)] == [kind]


async def test_a_flow_may_report_before_its_acceptance_was_noted(stores: Stores) -> None:
    await known(stores, S.INITIAL)
    assert (await call(stores, "completed")).status_code == 200
    assert [note.kind for note in await waiting(stores)] == ["COMPLETE"]


async def test_the_reason_of_a_failure_is_kept_without_signatures(stores: Stores) -> None:
    await known(stores, S.STARTED)
    failure = {"code": "NoSuchBlob", "message": "GET https://a.example/x?sig=PLANTED: 404", "object": "a/b.csv"}
    await call(stores, "errored", {"failure": failure, "error": "short"})
    [note] = await waiting(stores)
    assert note.payload["code"] == "NoSuchBlob"
    assert "a/b.csv" in note.payload["message"]
    assert "PLANTED" not in note.payload["message"]


async def test_the_remedy_of_a_failure_is_kept_for_the_operator(stores: Stores) -> None:
    await known(stores, S.STARTED)
    await call(stores, "errored", {"failure": {"code": "DiskFull", "message": "full", "remedy": "Make room."}})
    [note] = await waiting(stores)
    assert note.payload == {"code": "DiskFull", "message": "full", "remedy": "Make room."}


@pytest.mark.parametrize(("body", "text"), [({"error": "short"}, "short"), ({}, "The data plane gave no reason.")])
async def test_a_failure_in_plain_signaling_is_understood(stores: Stores, body: dict[str, str], text: str) -> None:
    await known(stores, S.STARTED)
    await call(stores, "errored", body)
    [note] = await waiting(stores)
    assert note.payload == {"code": "DataFlowError", "message": text}


@pytest.mark.parametrize("name", ["progress", "completed"])
async def test_progress_is_recorded(stores: Stores, name: str) -> None:
    await known(stores, S.STARTED)
    await call(stores, name, {"progress": {"bytesCopied": 7, "bytesTotal": 9}})
    found = await stores.transfer_processes.find("t-1")
    assert found is not None
    assert found.progress is not None
    assert (found.progress.bytes_copied, found.progress.bytes_total) == (7, 9)


@pytest.mark.parametrize("state", [S.COMPLETED, S.TERMINATED, S.TERMINATING, S.COMPLETING])
async def test_a_report_that_the_transfer_has_moved_past_is_acknowledged_and_changes_nothing(
    stores: Stores, state: S
) -> None:
    await known(stores, state)
    assert (await call(stores, "completed")).status_code == 200
    assert await waiting(stores) == []


@pytest.mark.parametrize("name", CALLBACKS)
@pytest.mark.parametrize("token", [None, "", "wrong", "second "])
async def test_a_caller_without_the_token_is_refused(stores: Stores, name: str, token: str | None) -> None:
    await known(stores, S.STARTED)
    answer = await call(stores, name, token=token)
    assert (answer.status_code, answer.json()["code"]) == (401, "Unauthenticated")


@pytest.mark.parametrize("name", CALLBACKS)
async def test_the_flow_of_another_data_plane_does_not_exist(stores: Stores, name: str) -> None:
    await known(stores, S.STARTED)
    answer = await call(stores, name, {"progress": {"bytesCopied": 7}}, token="second")
    assert answer.status_code == 404
    found = await stores.transfer_processes.find("t-1")
    assert found is not None
    assert found.progress is None
    assert await waiting(stores) == []


async def test_data_planes_that_share_a_token_are_each_believed_of_their_own_flows(stores: Stores) -> None:
    await known(stores, S.STARTED, data_plane_id="plane-1b")
    assert (await call(stores, "completed")).status_code == 200


@pytest.mark.parametrize("name", CALLBACKS)
async def test_a_consumers_process_without_a_data_plane_has_no_flow(stores: Stores, name: str) -> None:
    await known(stores, S.STARTED, type=TransferProcessType.CONSUMER, data_plane_id=None)
    assert (await call(stores, name, {"progress": {}})).status_code == 404


@pytest.mark.parametrize(
    ("name", "process_id", "body", "status"),
    [
        ("completed", "unknown", {}, 404),
        ("completed", "%00", {}, 404),
        ("prepared", "t-1", {}, 404),
        ("completed", "t-1", b"{", 400),
        ("completed", "t-1", b'{"error": 5}', 400),
        ("progress", "t-1", b'{"progress": {"bytesPerSecond": 1e999}}', 400),
        ("progress", "t-1", b'{"progress": {"bytesCopied": -1}}', 400),
        ("errored", "t-1", b'{"error": "\\u0000"}', 400),
        ("completed", "t-1", b'{"x": "' + b"x" * 1_100_000 + b'"}', 413),
    ],
)
async def test_what_makes_no_sense_is_refused(
    stores: Stores, name: str, process_id: str, body: Any, status: int
) -> None:
    await known(stores, S.STARTED)
    assert (await call(stores, name, body, process_id=process_id)).status_code == status
    assert await waiting(stores) == []


async def test_a_data_plane_that_needs_no_token_needs_none(stores: Stores) -> None:
    authenticator = SharedTokens(InMemoryVault(), {"embedded": None})
    assert await authenticator.authenticate(None) == {"embedded"}


SERVED = {
    "@type": "DataAddress",
    "endpointType": "HttpData",
    "endpoint": "https://data.example",
    "endpointProperties": [{"@type": "EndpointProperty", "name": "authorization", "value": "PLANTED"}],
}
CONSUMER_PUSH = {"type": TransferProcessType.CONSUMER}
PROVIDER_PULL = {"transfer_type": "HttpData-PULL"}


@pytest.mark.parametrize(
    ("name", "state", "changes", "kind"),
    [
        ("prepared", S.PREPARATION_REQUESTED, CONSUMER_PUSH, "FINISH_PROVISIONING"),
        ("prepared", S.PROVISIONING, CONSUMER_PUSH, "FINISH_PROVISIONING"),
        ("started", S.STARTUP_REQUESTED, PROVIDER_PULL, "CONFIRM_STARTUP"),
        ("started", S.INITIAL, PROVIDER_PULL, "CONFIRM_STARTUP"),
    ],
)
async def test_an_address_in_a_report_rests_in_the_vault_alone(
    stores: Stores, name: str, state: S, changes: dict[str, Any], kind: str
) -> None:
    secrets = dict(SECRETS)
    await known(stores, state, **changes)
    for _ in range(2):
        assert (await call(stores, name, {"dataAddress": SERVED}, vault=InMemoryVault(secrets))).status_code == 200
    assert "PLANTED" in secrets["transfer-process-t-1-data-address"]
    [note] = await waiting(stores)
    assert (note.kind, "PLANTED" in repr(note)) == (kind, False)


@pytest.mark.parametrize(("name", "changes"), [("prepared", CONSUMER_PUSH), ("started", PROVIDER_PULL)])
async def test_an_address_that_comes_after_the_outcome_is_not_kept(
    stores: Stores, name: str, changes: dict[str, Any]
) -> None:
    secrets = dict(SECRETS)
    await known(stores, S.TERMINATED, **changes)
    assert (await call(stores, name, {"dataAddress": SERVED}, vault=InMemoryVault(secrets))).status_code == 200
    assert secrets == SECRETS


@pytest.mark.parametrize(
    ("name", "changes", "body", "status"),
    [
        ("prepared", CONSUMER_PUSH, {}, 400),
        ("prepared", CONSUMER_PUSH, {"dataAddress": {"endpoint": "x"}}, 400),
        ("prepared", {}, {"dataAddress": SERVED}, 404),
        ("started", CONSUMER_PUSH, {}, 404),
    ],
)
async def test_a_report_that_does_not_fit_the_flow_is_refused(
    stores: Stores, name: str, changes: dict[str, Any], body: dict[str, Any], status: int
) -> None:
    await known(stores, S.PREPARATION_REQUESTED if changes else S.STARTUP_REQUESTED, **changes)
    assert (await call(stores, name, body)).status_code == status
    assert await waiting(stores) == []


@pytest.mark.parametrize(
    ("transfer_type", "kinds"), [("HttpData-PULL", ["COMPLETE"]), ("AzureStorage-PUSH", ["COMPLETE_BY_EVIDENCE"])]
)
async def test_what_a_consumers_data_plane_has_received_is_evidence(
    stores: Stores, transfer_type: str, kinds: list[str]
) -> None:
    await known(stores, S.STARTED, **CONSUMER_PUSH, transfer_type=transfer_type)
    assert (await call(stores, "completed")).status_code == 200
    assert [note.kind for note in await waiting(stores)] == kinds


async def test_data_that_has_arrived_before_the_start_was_heard_of_proves_it(stores: Stores) -> None:
    await known(stores, S.REQUESTED, **CONSUMER_PUSH)
    assert (await call(stores, "completed")).status_code == 200
    assert [note.kind for note in await waiting(stores)] == ["START", "COMPLETE_BY_EVIDENCE"]
