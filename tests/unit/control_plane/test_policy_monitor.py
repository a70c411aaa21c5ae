"""Running transfers whose policy stops holding are ended with the reason; all others are left alone."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connector_spi.errors import StoreUnavailableError
from control_plane.adapters.memory_stores import MemoryTransferProcessStore, memory_stores
from control_plane.adapters.sql_stores import migrate_stores, open_stores
from control_plane.domain.contract_negotiation import NegotiationState, NegotiationType
from control_plane.domain.inbox import InboxMessage
from control_plane.domain.policy import Policy
from control_plane.domain.query import Criterion, QuerySpec
from control_plane.domain.transfer_process import TransferProcess, TransferProcessState, TransferProcessType
from control_plane.ports.policy_function import PolicyFunction
from control_plane.ports.stores import Stores
from control_plane.services.policy_engine import PolicyEngine
from control_plane.services.policy_functions import built_in
from control_plane.services.policy_functions.time_window import TimeWindow
from control_plane.services.policy_monitor import PolicyMonitor
from control_plane.services.transfer_admission import TransferAdmission
from sql_storage.database import Database
from tests import control_plane_entities as examples
from tests.control_plane_entities import NOW, moment
from tests.eventually import eventually
from tests.fakes import ManualClock
from tests.unit.control_plane.policy_rig import Told, constraint, permitting, rule

S = TransferProcessState
INTERVAL = 60.0
UNTIL_NOON = permitting(constraint("inForceDate", "lteq", moment(100).isoformat()))


@pytest.fixture(params=["memory", "sqlite"])
async def stores(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> AsyncIterator[Stores]:
    if request.param == "memory":
        yield memory_stores(clock)
        return
    database = Database.open(f"sqlite:///{tmp_path}/monitor.db")
    await migrate_stores(database)
    yield open_stores(database, clock)
    await database.aclose()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def monitor(stores: Stores, clock: ManualClock, *further: PolicyFunction, interval: float = INTERVAL) -> PolicyMonitor:
    return PolicyMonitor(
        processes=stores.transfer_processes,
        negotiations=stores.contract_negotiations,
        policies=PolicyEngine((*built_in(stores.transfer_processes), *further)),
        clock=clock,
        interval_seconds=interval,
    )


async def agreed(stores: Stores, policy: Policy, agreement_id: str = "a-1") -> None:
    agreement = examples.agreement(
        agreement_id, provider_id="did:web:us", consumer_id="did:web:them", policy=policy, negotiation_id=agreement_id
    )
    negotiation = examples.negotiation(
        agreement_id,
        type=NegotiationType.PROVIDER,
        state=NegotiationState.FINALIZED,
        correlation_id=agreement_id,
        agreement=agreement,
    )
    await stores.contract_negotiations.create(negotiation, due_at=None)


async def running(stores: Stores, process_id: str = "t-1", **changes: Any) -> TransferProcess:
    facts: dict[str, Any] = {
        "type": TransferProcessType.PROVIDER,
        "state": S.STARTED,
        "contract_id": "a-1",
        "correlation_id": f"consumer-pid-of-{process_id}",
    }
    process = examples.transfer_process(process_id, **{**facts, **changes})
    await stores.transfer_processes.create(process, due_at=None)
    return process


async def ended(stores: Stores) -> dict[str, dict[str, str]]:
    """What the loop will find: of each process that is to end, why."""
    leased = await stores.transfer_processes.lease_due(now=moment(1e9), limit=5000, lease_seconds=0.001, owner="test")
    return {
        found.entity.id: dict(message.payload)
        for found in leased
        for message in found.inbox
        if message.kind == "TERMINATE"
    }


async def test_a_transfer_ends_when_its_window_is_over(stores: Stores, clock: ManualClock) -> None:
    await agreed(stores, UNTIL_NOON)
    await running(stores)
    await monitor(stores, clock).sweep()
    assert await ended(stores) == {}
    clock.advance(101)
    await monitor(stores, clock).sweep()
    reason = f"The permission does not apply: inForceDate lteq {moment(100).isoformat()} does not hold."
    assert await ended(stores) == {"t-1": {"code": "PolicyDenied", "message": reason}}


@pytest.mark.parametrize("transfer_type", ["AzureStorage-PUSH", "HttpData-PULL"])
@pytest.mark.parametrize("state", [S.STARTED, S.STARTING, S.STARTUP_REQUESTED, S.RESUMING])
async def test_pushes_and_pulls_end_wherever_data_may_move(
    stores: Stores, clock: ManualClock, state: S, transfer_type: str
) -> None:
    await agreed(stores, UNTIL_NOON)
    await running(stores, state=state, transfer_type=transfer_type)
    clock.advance(101)
    await monitor(stores, clock).sweep()
    assert set(await ended(stores)) == {"t-1"}


@pytest.mark.parametrize(
    "changes",
    [
        {"type": TransferProcessType.CONSUMER},
        {"state": S.SUSPENDED},
        {"state": S.COMPLETED},
        {"state": S.TERMINATED},
        {"contract_id": "unconditional"},
    ],
)
async def test_what_is_not_the_providers_to_end_is_left_alone(
    stores: Stores, clock: ManualClock, changes: dict[str, Any]
) -> None:
    await agreed(stores, UNTIL_NOON)
    await agreed(stores, examples.USE, "unconditional")
    await running(stores, **changes)
    clock.advance(101)
    await monitor(stores, clock).sweep()
    assert await ended(stores) == {}


async def test_a_transfer_ends_when_its_agreement_is_taken_back(stores: Stores, clock: ManualClock) -> None:
    await running(stores, contract_id="taken-back")
    await monitor(stores, clock).sweep()
    reason = "There is no agreement 'taken-back' any more."
    assert await ended(stores) == {"t-1": {"code": "PolicyDenied", "message": reason}}


async def test_the_claims_of_the_request_are_what_counts(stores: Stores, clock: ManualClock) -> None:
    await agreed(stores, permitting(constraint("claim:role", "eq", "processor")))
    await running(stores, "keeps", counter_party_claims={"role": "processor"})
    await running(stores, "ends", counter_party_claims={"role": "guest"})
    await monitor(stores, clock).sweep()
    assert set(await ended(stores)) == {"ends"}


async def test_what_was_admitted_by_count_goes_on_and_what_was_too_much_ends(
    stores: Stores, clock: ManualClock
) -> None:
    await agreed(stores, permitting(constraint("count", "lteq", 2)))
    for number in range(4):
        await running(stores, f"t-{number}", created_at=moment(number))
    await monitor(stores, clock).sweep()
    assert set(await ended(stores)) == {"t-2", "t-3"}


async def test_a_policy_that_cannot_be_read_any_more_ends_the_transfer(stores: Stores, clock: ManualClock) -> None:
    await agreed(stores, Policy(permissions=(rule(),), prohibitions=({"action": "sell"},)))
    await running(stores)
    await monitor(stores, clock).sweep()
    assert "cannot be evaluated" in (await ended(stores))["t-1"]["message"]


async def test_a_fact_that_cannot_be_read_now_ends_nothing_and_hides_no_other(
    stores: Stores, clock: ManualClock
) -> None:
    await agreed(stores, permitting(constraint("fact", "eq", "yes")))
    await agreed(stores, UNTIL_NOON, "a-2")
    await running(stores, "cannot-be-told")
    await running(stores, "ends", contract_id="a-2")
    clock.advance(101)
    down = Told("fact", error=StoreUnavailableError("The registry does not answer."))
    await monitor(stores, clock, down).sweep()
    assert set(await ended(stores)) == {"ends"}


async def test_every_page_is_looked_at(stores: Stores, clock: ManualClock) -> None:
    await agreed(stores, UNTIL_NOON)
    for number in range(230):
        await running(stores, f"t-{number:03}")
    clock.advance(101)
    await monitor(stores, clock).sweep()
    assert len(await ended(stores)) == 230


class EndsAtOnce(MemoryTransferProcessStore):
    """A store whose loop is so quick that a process has left the pages before the look goes on."""

    async def append(
        self, entity_id: str, message: InboxMessage, accept: Callable[[TransferProcess, Sequence[InboxMessage]], None]
    ) -> bool:
        appended = await super().append(entity_id, message, accept)
        for leased in await self.lease_due(now=moment(1e9), limit=9, lease_seconds=60, owner="loop"):
            process = replace(leased.entity, state=S.TERMINATED)
            await self.save(process, epoch=leased.epoch, applied=leased.inbox, due_at=None)
        return appended


async def test_what_ends_during_the_look_hides_no_other(clock: ManualClock) -> None:
    stores = replace(memory_stores(clock), transfer_processes=EndsAtOnce(clock))
    await agreed(stores, UNTIL_NOON)
    for number in range(450):
        await running(stores, f"t-{number:03}")
    clock.advance(101)
    await monitor(stores, clock).sweep()
    running_still = Criterion(operand_left="state", operator="=", operand_right="STARTED")
    assert await stores.transfer_processes.query(QuerySpec(limit=9, criteria=(running_still,))) == []


async def test_a_second_replica_ends_nothing_twice(stores: Stores, clock: ManualClock) -> None:
    await agreed(stores, UNTIL_NOON)
    await running(stores)
    clock.advance(101)
    await monitor(stores, clock).sweep()
    await monitor(stores, clock).sweep()
    [leased] = await stores.transfer_processes.lease_due(now=moment(1e9), limit=9, lease_seconds=60, owner="test")
    assert len(leased.inbox) == 1


@pytest.mark.parametrize(
    ("policy", "next_look"),
    [
        (examples.USE, INTERVAL),
        (permitting(constraint("inForceDate", "lt", moment(10).isoformat())), 10),
        (permitting(constraint("inForceDate", "lt", "contractAgreement+20s")), 20),
        (permitting(constraint("inForceDate", "lt", moment(1000).isoformat())), INTERVAL),
        (permitting(constraint("inForceDate", "gteq", moment(-10).isoformat())), INTERVAL),
    ],
)
async def test_the_next_look_is_when_a_window_ends_or_when_the_interval_is_over(
    stores: Stores, clock: ManualClock, policy: Policy, next_look: float
) -> None:
    await agreed(stores, policy)
    await running(stores)
    assert await monitor(stores, clock).sweep() == NOW + timedelta(seconds=next_look)


class RealTime(ManualClock):
    """Moves by itself."""

    def now(self) -> datetime:
        return NOW + timedelta(seconds=asyncio.get_running_loop().time() - self.began)

    def start(self) -> None:
        self.began = asyncio.get_running_loop().time()


async def test_it_wakes_when_a_window_ends_long_before_the_interval_is_over(stores: Stores) -> None:
    clock = RealTime()
    clock.start()
    await agreed(stores, permitting(constraint("inForceDate", "lt", moment(0.5).isoformat())))
    await running(stores)
    async with at_work(monitor(stores, clock, interval=3600)):
        await eventually(lambda: has_ended(stores))


async def test_a_transfer_that_begins_while_it_rests_is_not_left_until_the_interval_is_over(stores: Stores) -> None:
    clock = RealTime()
    clock.start()
    await agreed(stores, permitting(constraint("inForceDate", "lt", moment(0.5).isoformat())))
    resting = monitor(stores, clock, interval=3600)
    async with at_work(resting):
        await asyncio.sleep(0)
        process = await running(stores)
        admission = TransferAdmission(
            stores.contract_negotiations, PolicyEngine([TimeWindow()]), clock, look_by=resting.look_by
        )
        await admission.check(process)
        await eventually(lambda: has_ended(stores))


class FailsOnce(MemoryTransferProcessStore):
    """A store with a defect that shows once."""

    failed = False

    async def query(self, query: QuerySpec) -> list[TransferProcess]:
        if not self.failed:
            self.failed = True
            raise ValueError("a defect")
        return await super().query(query)


async def test_a_look_that_fails_unexpectedly_is_not_the_last_one(caplog: pytest.LogCaptureFixture) -> None:
    clock = RealTime()
    clock.start()
    stores = replace(memory_stores(clock), transfer_processes=FailsOnce(clock))
    await agreed(stores, permitting(constraint("inForceDate", "lt", moment(0.1).isoformat())))
    await running(stores)
    async with at_work(monitor(stores, clock, interval=0.2)):
        await eventually(lambda: has_ended(stores))
    assert "failed unexpectedly" in caplog.text


@asynccontextmanager
async def at_work(resting: PolicyMonitor) -> AsyncIterator[None]:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as loops:
        loops.create_task(resting.run(stop))
        yield
        stop.set()


async def has_ended(stores: Stores) -> bool:
    return bool(await ended(stores))
