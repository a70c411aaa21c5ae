"""A transfer begins, and goes on after a pause, only where the policy of its agreement permits it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connector_spi.clock import SystemClock
from control_plane.adapters.sql_stores import migrate_stores, open_stores
from control_plane.domain.contract_negotiation import NegotiationState, NegotiationType
from control_plane.domain.policy import Policy
from control_plane.domain.query import QuerySpec
from control_plane.domain.transfer_process import TransferProcess, TransferProcessState, TransferProcessType
from control_plane.services.pending_guards import HoldsNothing
from control_plane.services.policy_engine import PolicyEngine
from control_plane.services.policy_functions import built_in
from control_plane.services.transfer_admission import TransferAdmission
from control_plane.services.transfer_manager import TransferProcessManager
from sql_storage.database import Database
from tests import control_plane_entities as examples
from tests.control_plane_entities import moment
from tests.unit.control_plane.policy_rig import constraint, permitting
from tests.unit.control_plane.protocol_rig import THEM, US, ProtocolRig, told, transfer_request
from tests.unit.control_plane.transfer_rig import PATIENCE, TransferRig

S = TransferProcessState
OVER = permitting(constraint("inForceDate", "lt", "2020-01-01T00:00:00Z"))
THREE = permitting(constraint("count", "lteq", 3))


async def agreed(rig: ProtocolRig | TransferRig, policy: Policy, agreement_id: str = "a-1") -> None:
    agreement = examples.agreement(
        agreement_id, provider_id=US, consumer_id=THEM, policy=policy, negotiation_id=agreement_id
    )
    negotiation = examples.negotiation(
        agreement_id,
        type=NegotiationType.PROVIDER,
        state=NegotiationState.FINALIZED,
        counter_party_id=THEM,
        agreement=agreement,
    )
    await rig.stores.contract_negotiations.create(negotiation, due_at=None)


async def asked(rig: ProtocolRig, consumer_pid: str = "consumer-pid", **members: Any) -> int:
    body = transfer_request(consumerPid=consumer_pid, **members)
    return (await rig.call("POST", "/transfers/request", json=body)).status_code


async def begun(rig: ProtocolRig) -> list[TransferProcess]:
    return await rig.stores.transfer_processes.query(QuerySpec())


async def test_a_request_that_the_policy_does_not_permit_is_refused_with_the_constraint() -> None:
    rig = ProtocolRig()
    await agreed(rig, OVER)
    answer = await rig.call("POST", "/transfers/request", json=transfer_request())
    body = answer.json()
    assert (answer.status_code, body["@type"], body["code"]) == (403, "TransferError", "PolicyDenied")
    assert body["reason"] == [
        "The permission does not apply: inForceDate lt 2020-01-01T00:00:00Z does not hold.",
    ]
    assert await begun(rig) == []
    assert rig.secrets.keys().isdisjoint({"transfer-process"})


async def test_a_policy_that_permits_lets_the_transfer_begin() -> None:
    rig = ProtocolRig()
    end = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    await agreed(rig, permitting(constraint("inForceDate", "lt", end), constraint("participantId", "eq", THEM)))
    assert await asked(rig) == 201


async def test_so_many_transfers_as_the_policy_counts_and_a_repeated_request_is_no_further_one() -> None:
    rig = ProtocolRig()
    await agreed(rig, THREE)
    assert [await asked(rig, pid) for pid in ("1", "2", "2", "3", "4", "1")] == [201, 201, 201, 201, 403, 201]
    assert len(await begun(rig)) == 3


async def test_the_count_is_that_of_one_agreement() -> None:
    rig = ProtocolRig()
    for agreement_id in ("a-1", "a-2"):
        await agreed(rig, permitting(constraint("count", "lteq", 1)), agreement_id)
    assert [await asked(rig, pid, agreementId=pid) for pid in ("a-1", "a-2")] == [201, 201]
    assert await asked(rig, "another", agreementId="a-1") == 403


@pytest.fixture
async def on_disk(tmp_path: Path) -> AsyncIterator[ProtocolRig]:
    """A rig whose stores let others go on while they write."""
    database = Database.open(f"sqlite:///{tmp_path}/admission.db")
    await migrate_stores(database)
    yield ProtocolRig(open_stores(database, SystemClock()))
    await database.aclose()


async def test_requests_at_the_same_moment_do_not_share_the_last_place(on_disk: ProtocolRig) -> None:
    rig = on_disk
    await agreed(rig, THREE)
    answers = await asyncio.gather(*(asked(rig, str(number)) for number in range(12)))
    assert sorted(answers) == [201] * 3 + [403] * 9
    assert len(await begun(rig)) == 3


async def test_the_same_request_many_times_at_once_takes_one_place(on_disk: ProtocolRig) -> None:
    rig = on_disk
    await agreed(rig, permitting(constraint("count", "lteq", 1)))
    assert set(await asyncio.gather(*(asked(rig, "same") for _ in range(8)))) == {201}
    assert len(await begun(rig)) == 1


@pytest.mark.parametrize(("policy", "status"), [(OVER, 403), (examples.USE, 200)])
async def test_a_paused_transfer_goes_on_only_where_the_policy_permits_it(policy: Policy, status: int) -> None:
    rig = ProtocolRig()
    await agreed(rig, policy)
    process = examples.transfer_process(
        type=TransferProcessType.PROVIDER,
        state=S.SUSPENDED,
        counter_party_id=THEM,
        contract_id="a-1",
        correlation_id="consumer-pid",
    )
    await rig.stores.transfer_processes.create(process, due_at=None)
    message = told("TransferStartMessage", "consumer-pid", "t-1", **{"@context": transfer_request()["@context"]})
    assert (await rig.call("POST", "/transfers/t-1/start", json=message)).status_code == status


def gate(rig: TransferRig) -> None:
    """The rig's manager with the provider's acts behind the gate, as the bootstrap puts them."""
    policies = PolicyEngine(built_in(rig.stores.transfer_processes))
    admission = TransferAdmission(rig.stores.contract_negotiations, policies, rig.clock)
    rig.manager = TransferProcessManager(
        acts={**rig.consumer_acts.acts(), **admission.gated(rig.provider_acts.acts())},
        resource_acts={**rig.consumer_acts.resource_acts(), **rig.provider_acts.resource_acts()},
        patience=PATIENCE,
        guard=HoldsNothing(),
        clock=rig.clock,
    )


async def test_what_was_held_until_the_window_was_over_does_not_start(rig: TransferRig) -> None:
    gate(rig)
    await agreed(rig, permitting(constraint("inForceDate", "lt", moment(100).isoformat())))
    await rig.provider(contract_id="a-1")
    rig.clock.advance(101)
    assert await rig.run() == "TERMINATED"
    error = (await rig.now()).error
    assert error is not None
    assert error.code == "PolicyDenied"
    assert rig.data_plane.count("start") == 0


async def test_another_replicas_transfer_too_many_does_not_start(rig: TransferRig) -> None:
    gate(rig)
    await agreed(rig, permitting(constraint("count", "lteq", 1)))
    await rig.provider(process_id="t-2", contract_id="a-1", correlation_id="another", created_at=moment(1))
    await rig.provider(contract_id="a-1")
    assert (await rig.run(), await rig.shown("t-2")) == ("STARTED", "TERMINATED")


async def test_this_sides_own_resumption_is_asked_about_too(rig: TransferRig) -> None:
    gate(rig)
    await agreed(rig, permitting(constraint("inForceDate", "lt", moment(100).isoformat())))
    await rig.provider(contract_id="a-1", state=S.RESUMING, data_plane_id="plane-1")
    rig.clock.advance(101)
    assert await rig.run() == "TERMINATED"
    assert rig.data_plane.count("resume") == 0
