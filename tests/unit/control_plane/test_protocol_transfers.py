"""Transfer endpoints of the Dataspace Protocol: what counterparties may ask, and what they are answered."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from connector_spi.clock import SystemClock
from connector_spi.errors import StoreUnavailableError
from control_plane.adapters.memory_stores import MemoryTransferProcessStore, memory_stores
from control_plane.domain.inbox import InboxMessage
from control_plane.domain.transfer_process import (
    ResourcePhase,
    TransferProcess,
    TransferProcessState,
    TransferProcessType,
)
from tests.control_plane_entities import moment, transfer_process
from tests.unit.control_plane.protocol_rig import OTHERS, SAS, THEM, US, ProtocolRig, properties, told, transfer_request
from vault_adapters.memory import InMemoryVault

S = TransferProcessState
CONSUMER, PROVIDER = TransferProcessType.CONSUMER, TransferProcessType.PROVIDER
NAMES = {
    "start": "TransferStartMessage",
    "completion": "TransferCompletionMessage",
    "suspension": "TransferSuspensionMessage",
    "termination": "TransferTerminationMessage",
}
SHOWN = {
    "REQUESTED": "INITIAL PROVISIONING PREPARATION_REQUESTED PROVISIONED REQUESTING REQUESTED STARTING",
    "STARTED": "STARTED SUSPENDING COMPLETING",
    "SUSPENDED": "SUSPENDING_REQUESTED SUSPENDED RESUMING RESUMED",
    "COMPLETED": "COMPLETING_REQUESTED COMPLETED",
    "TERMINATED": "TERMINATING TERMINATING_REQUESTED TERMINATED",
}


ADDRESS = {"@type": "DataAddress"}


def destination(**changes: str | None) -> dict[str, Any]:
    named = {"account": "consumerorg", "container": "for-t-1", "secret": SAS, **changes}
    return {
        "@type": "DataAddress",
        "endpointType": "AzureStorage",
        "endpointProperties": properties(**{name: value for name, value in named.items() if value is not None}),
    }


async def known(protocol: ProtocolRig, side: TransferProcessType, state: S) -> None:
    process = transfer_process(type=side, state=state, correlation_id="their-pid")
    await protocol.stores.transfer_processes.create(process, due_at=None)
    if side is PROVIDER:
        await protocol.agreed("contract-1")


def message(name: str, side: TransferProcessType, **members: Any) -> dict[str, Any]:
    pids = ("t-1", "their-pid") if side is CONSUMER else ("their-pid", "t-1")
    return told(NAMES[name], *pids, **members)


async def test_a_request_is_taken_and_its_secret_goes_to_the_vault_under_a_name_of_ours(protocol: ProtocolRig) -> None:
    await protocol.agreed()
    answer = await protocol.call("POST", "transfers/request", json=transfer_request())
    assert answer.status_code == 201
    body = answer.json()
    assert (body["@type"], body["consumerPid"], body["state"]) == ("TransferProcess", "consumer-pid", "REQUESTED")
    process = await protocol.stores.transfer_processes.find(body["providerPid"])
    assert process is not None
    alias = f"transfer-process-{process.id}-data-address"
    assert protocol.secrets == {alias: SAS}
    assert (process.type, process.state, process.resources) == (PROVIDER, S.INITIAL, ResourcePhase.HELD)
    assert (process.secret_alias, process.data_destination.get("keyName")) == (alias, alias)
    assert "of-the-provider" not in repr(process), "a key name that the consumer chose"
    assert "PLANTED" not in repr(process)
    assert (process.nonce, process.asset_id, process.counter_party_address) == (
        *("nonce-1", "asset-1"),
        "https://them.example/2025-1",
    )
    assert [note.kind for note in await protocol.waiting(process.id)] == ["WAKE"], "its work begins at once"


async def test_the_same_request_again_is_the_same_process(protocol: ProtocolRig) -> None:
    await protocol.agreed()
    answers = [(await protocol.call("POST", "transfers/request", json=transfer_request())).json() for _ in range(3)]
    assert len({answer["providerPid"] for answer in answers}) == 1
    assert len(protocol.secrets) == 1


async def test_the_same_consumer_pid_of_somebody_else_is_another_process(protocol: ProtocolRig) -> None:
    await protocol.agreed()
    await protocol.agreed("a-2", consumer=OTHERS)
    first = await protocol.call("POST", "transfers/request", json=transfer_request())
    second = await protocol.call("POST", "transfers/request", json=transfer_request(agreementId="a-2"), sender=OTHERS)
    assert first.json()["providerPid"] != second.json()["providerPid"]


@pytest.mark.parametrize(
    ("consumer", "provider", "agreement_id"),
    [(OTHERS, US, "a-1"), (US, THEM, "a-1"), (THEM, US, "unknown")],
    ids=["somebody else's", "in which we are the consumer", "unknown"],
)
async def test_an_agreement_that_is_not_the_callers_does_not_exist(
    protocol: ProtocolRig, consumer: str, provider: str, agreement_id: str
) -> None:
    await protocol.agreed(consumer=consumer, provider=provider)
    body = transfer_request(agreementId=agreement_id)
    answer = await protocol.call("POST", "transfers/request", json=body)
    assert (answer.status_code, answer.json()["code"]) == (404, "NotFound")
    assert protocol.secrets == {}


@pytest.mark.parametrize(
    ("changes", "status", "named"),
    [
        ({"format": "HttpData-PUSH"}, 400, "format"),
        ({"format": None}, 400, "format"),
        ({"dataAddress": None}, 400, "dataAddress"),
        ({"consumerPid": None}, 400, "consumerPid"),
        ({"consumerPid": ""}, 400, "consumerPid"),
        ({"consumerPid": 5}, 400, "consumerPid"),
        ({"agreementId": None}, 400, "agreementId"),
        ({"callbackAddress": None}, 400, "callbackAddress"),
        ({"callbackAddress": "http://them.example"}, 400, "scheme"),
        ({"callbackAddress": "https://["}, 400, "not a URL"),
        ({"callbackAddress": "https://them.example:port"}, 400, "not a URL"),
        ({"callbackAddress": "https://user:pw@them.example"}, 400, "user name"),
        ({"@type": "TransferStartMessage"}, 400, "@type"),
        ({"dataAddress": {**ADDRESS, "endpointType": "HttpData"}}, 400, "endpoint"),
        ({"dataAddress": {**ADDRESS, "endpointType": "Ftp"}}, 400, "endpointType"),
        ({"dataAddress": destination(account="Not-An-Account")}, 400, "account"),
        ({"dataAddress": destination(account="../x")}, 400, "account"),
        ({"dataAddress": destination(container="UPPER")}, 400, "container"),
        ({"dataAddress": destination(container=None)}, 400, "container"),
        ({"dataAddress": destination(folderName="a/../b")}, 400, "folder"),
        ({"dataAddress": destination(secret=None)}, 400, "secret"),
        ({"dataAddress": destination(secret="PLANTED and malformed")}, 400, "secret"),
        ({"dataAddress": destination(secret=SAS + "&comp=list")}, 400, "secret"),
        ({"dataAddress": destination(endpoint="https://evil.example")}, 400, "endpoint"),
        (
            {"dataAddress": {**ADDRESS, "endpointType": "AzureStorage", "endpointProperties": "x"}},
            400,
            "endpointProperties",
        ),
        (
            {"dataAddress": {**ADDRESS, "endpointType": "AzureStorage", "endpointProperties": [{"name": 1}]}},
            400,
            "name",
        ),
    ],
)
async def test_a_request_that_cannot_work_is_refused_by_name_and_nothing_is_kept(
    protocol: ProtocolRig, changes: Mapping[str, Any], status: int, named: str
) -> None:
    await protocol.agreed()
    answer = await protocol.call("POST", "transfers/request", json=transfer_request(**changes))
    body = answer.json()
    assert answer.status_code == status
    assert (body["@type"], set(body)) == ("TransferError", {"@context", "@type", *_ERROR_MEMBERS})
    assert named in body["reason"][0]
    assert protocol.secrets == {}


_ERROR_MEMBERS = ("providerPid", "consumerPid", "code", "reason")


async def test_a_matching_endpoint_may_be_named(protocol: ProtocolRig) -> None:
    await protocol.agreed()
    address = destination(endpoint="https://consumerorg.blob.core.windows.net/for-t-1")
    answer = await protocol.call("POST", "transfers/request", json=transfer_request(dataAddress=address))
    assert answer.status_code == 201


async def test_a_crash_before_the_secret_was_stored_is_mended_by_the_repeated_request(protocol: ProtocolRig) -> None:
    await protocol.agreed()
    first = await protocol.call("POST", "transfers/request", json=transfer_request())
    protocol.secrets.clear()
    second = await protocol.call("POST", "transfers/request", json=transfer_request())
    assert second.json()["providerPid"] == first.json()["providerPid"]
    assert list(protocol.secrets.values()) == [SAS]


async def test_a_transfer_that_ends_while_its_secret_is_stored_leaves_none() -> None:
    stores, secrets = memory_stores(), dict[str, str]()

    class SlowVault(InMemoryVault):
        """Whatever it stores, the transfer has ended, and cleaned up, before that is done."""

        async def store(self, alias: str, value: str) -> None:
            processes = stores.transfer_processes
            (leased,) = await processes.lease_due(now=moment(1e9), limit=1, lease_seconds=60, owner="test")
            ended = replace(leased.entity, state=S.TERMINATED, resources=ResourcePhase.REVOKED, secret_alias=None)
            await processes.save(ended, epoch=leased.epoch, applied=(), due_at=None)
            await super().store(alias, value)

    protocol = ProtocolRig(stores=stores, vault=SlowVault(secrets))
    await protocol.agreed()
    answer = await protocol.call("POST", "transfers/request", json=transfer_request())
    assert answer.status_code == 201
    assert secrets == {}


@pytest.mark.parametrize("side", [CONSUMER, PROVIDER])
@pytest.mark.parametrize("state", list(S))
async def test_a_process_is_shown_in_the_protocols_words(
    protocol: ProtocolRig, side: TransferProcessType, state: S
) -> None:
    await known(protocol, side, state)
    body = (await protocol.call("GET", "transfers/t-1")).json()
    pids = ("t-1", "their-pid") if side is CONSUMER else ("their-pid", "t-1")
    assert (body["consumerPid"], body["providerPid"]) == pids
    if state in {S.STARTUP_REQUESTED, S.RESUMING_REQUESTED}:
        # The consumer has heard of the start; the provider has not told of it yet.
        before = "REQUESTED" if state is S.STARTUP_REQUESTED else "SUSPENDED"
        assert body["state"] == ("STARTED" if side is CONSUMER else before)
    else:
        assert state.name in SHOWN[body["state"]].split()


@pytest.mark.parametrize(("wish", "name"), [("SUSPEND", "completion"), ("TERMINATE", "suspension")])
async def test_a_wish_of_this_side_that_merely_waits_refuses_nothing(
    protocol: ProtocolRig, wish: str, name: str
) -> None:
    await known(protocol, PROVIDER, S.STARTED)
    waits = InboxMessage(id="command-1", kind=wish, received_at=moment(0))
    await protocol.stores.transfer_processes.append("t-1", waits, lambda _process, _pending: None)
    assert (await protocol.call("POST", f"transfers/t-1/{name}", json=message(name, PROVIDER))).status_code == 200
    assert len(await protocol.waiting("t-1")) == 2


@pytest.mark.parametrize(
    ("side", "state", "name", "kind"),
    [
        (CONSUMER, S.REQUESTED, "start", "START"),
        (CONSUMER, S.REQUESTING, "start", "START"),
        (CONSUMER, S.SUSPENDED, "start", "START"),
        (CONSUMER, S.RESUMING, "start", "START"),
        (CONSUMER, S.STARTED, "completion", "COMPLETE_BY_COUNTERPARTY"),
        (CONSUMER, S.STARTED, "suspension", "SUSPEND_BY_COUNTERPARTY"),
        (CONSUMER, S.STARTED, "termination", "TERMINATE_BY_COUNTERPARTY"),
        (PROVIDER, S.SUSPENDED, "start", "RESUME_BY_COUNTERPARTY"),
        (PROVIDER, S.STARTED, "suspension", "SUSPEND_BY_COUNTERPARTY"),
        (PROVIDER, S.STARTED, "completion", "COMPLETE_BY_COUNTERPARTY"),
        (PROVIDER, S.STARTING, "suspension", "SUSPEND_BY_COUNTERPARTY"),
        (PROVIDER, S.INITIAL, "termination", "TERMINATE_BY_COUNTERPARTY"),
    ],
)
async def test_a_message_whose_turn_it_is_is_noted_once(
    protocol: ProtocolRig, side: TransferProcessType, state: S, name: str, kind: str
) -> None:
    await known(protocol, side, state)
    body = message(name, side, **{"@id": "urn:uuid:1", "code": "Why", "reason": ["because", {"@value": "so"}]})
    for _ in range(2):
        answer = await protocol.call("POST", f"transfers/t-1/{name}", json=body)
        assert (answer.status_code, answer.json()) == (200, {})
    [note] = await protocol.waiting("t-1")
    assert (note.kind, note.payload["code"], note.payload["message"]) == (kind, "Why", "because; so")


@pytest.mark.parametrize(
    ("side", "state", "name"),
    [
        (CONSUMER, S.STARTED, "start"),
        (CONSUMER, S.COMPLETED, "start"),
        (CONSUMER, S.COMPLETED, "completion"),
        (CONSUMER, S.COMPLETING_REQUESTED, "completion"),
        (CONSUMER, S.SUSPENDED, "suspension"),
        (CONSUMER, S.SUSPENDING, "suspension"),
        (CONSUMER, S.TERMINATED, "termination"),
        (PROVIDER, S.STARTED, "start"),
        (PROVIDER, S.RESUMING, "start"),
        (PROVIDER, S.SUSPENDING, "suspension"),
        (PROVIDER, S.COMPLETED, "completion"),
        (PROVIDER, S.TERMINATED, "termination"),
    ],
)
async def test_what_is_so_already_or_was_wished_by_both_is_acknowledged_and_changes_nothing(
    protocol: ProtocolRig, side: TransferProcessType, state: S, name: str
) -> None:
    await known(protocol, side, state)
    assert (await protocol.call("POST", f"transfers/t-1/{name}", json=message(name, side))).status_code == 200
    assert await protocol.waiting("t-1") == ()


async def test_two_messages_under_one_id_are_both_heard(protocol: ProtocolRig) -> None:
    await known(protocol, CONSUMER, S.REQUESTED)
    for name in ("start", "completion"):
        body = message(name, CONSUMER, **{"@id": "the-same"})
        assert (await protocol.call("POST", f"transfers/t-1/{name}", json=body)).status_code == 200
    assert [note.kind for note in await protocol.waiting("t-1")] == ["START", "COMPLETE_BY_COUNTERPARTY"]


@pytest.mark.parametrize(
    ("side", "state", "name"),
    [
        (CONSUMER, S.INITIAL, "start"),
        (CONSUMER, S.REQUESTED, "completion"),
        (CONSUMER, S.REQUESTED, "suspension"),
        (CONSUMER, S.COMPLETED, "termination"),
        (CONSUMER, S.TERMINATED, "start"),
        (PROVIDER, S.SUSPENDED, "completion"),
        (PROVIDER, S.INITIAL, "start"),
        (PROVIDER, S.COMPLETED, "suspension"),
    ],
)
async def test_what_the_state_does_not_allow_is_refused_and_changes_nothing(
    protocol: ProtocolRig, side: TransferProcessType, state: S, name: str
) -> None:
    await known(protocol, side, state)
    answer = await protocol.call("POST", f"transfers/t-1/{name}", json=message(name, side))
    assert (answer.status_code, answer.json()["code"]) == (400, "InvalidTransition")
    assert await protocol.waiting("t-1") == ()


@pytest.mark.parametrize("pids", [("their-pid", "other"), ("other", "t-1"), ("t-1", "their-pid")])
async def test_pids_that_are_not_those_of_the_process_are_refused(protocol: ProtocolRig, pids: tuple[str, str]) -> None:
    await known(protocol, PROVIDER, S.STARTED)
    answer = await protocol.call("POST", "transfers/t-1/termination", json=told(NAMES["termination"], *pids))
    assert (answer.status_code, answer.json()["code"]) == (400, "InvalidInput")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "transfers/t-1"), *(("POST", f"transfers/t-1/{name}") for name in NAMES)]
)
@pytest.mark.parametrize("sender", [OTHERS, THEM])
async def test_the_process_of_somebody_else_does_not_exist(
    protocol: ProtocolRig, method: str, path: str, sender: str
) -> None:
    if sender == OTHERS:
        await known(protocol, PROVIDER, S.STARTED)
    name = path.rpartition("/")[2]
    body = message(name, PROVIDER) if name in NAMES else None
    answer = await protocol.call(method, path, json=body, sender=sender)
    assert answer.status_code == 404
    assert answer.json()["reason"] == ["TransferProcess 't-1' does not exist."]


async def test_an_unknown_message_name_is_not_found(protocol: ProtocolRig) -> None:
    await known(protocol, PROVIDER, S.STARTED)
    assert (await protocol.call("POST", "transfers/t-1/prepared", json={})).status_code == 404


async def test_a_reason_with_a_signed_url_is_kept_without_the_signature(protocol: ProtocolRig) -> None:
    await known(protocol, CONSUMER, S.STARTED)
    reason = f"PUT https://consumerorg.blob.core.windows.net/c/x?{SAS} failed"
    await protocol.call("POST", "transfers/t-1/termination", json=message("termination", CONSUMER, reason=[reason]))
    [note] = await protocol.waiting("t-1")
    assert "PLANTED" not in repr(note)
    assert "failed" in note.payload["message"]


class DownStore(MemoryTransferProcessStore):
    """Does not answer."""

    async def find_with_inbox(self, entity_id: str) -> tuple[TransferProcess, tuple[InboxMessage, ...]] | None:
        raise StoreUnavailableError(f"The database does not answer: {entity_id}")


async def test_a_database_that_is_down_is_told_as_such() -> None:
    stores = replace(memory_stores(), transfer_processes=DownStore(SystemClock()))
    answer = await ProtocolRig(stores).call("GET", "transfers/t-1")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
