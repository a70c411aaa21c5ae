"""What the transfer manager does when things fail: attempts are repeated, deadlines end, crashes do no harm."""

import asyncio
from datetime import timedelta

import pytest

from connector_spi.errors import (
    ForbiddenAddressError,
    LeaseLostError,
    PeerRefusedError,
    SecretNotFoundError,
    StoreUnavailableError,
    VaultUnavailableError,
)
from control_plane.domain.inbox import InboxMessage
from control_plane.domain.transfer_process import (
    OUTCOMES,
    ProvisionedResource,
    ResourcePhase,
    TransferError,
    TransferProcessState,
    TransferProcessType,
)
from control_plane.domain.transfer_state_machine import TransferEvent
from control_plane.services.patience import Backoff
from tests.control_plane_entities import NOW, moment
from tests.fakes import unavailable
from tests.unit.control_plane.transfer_rig import ALIAS, LIMIT, SAS, TransferRig, accept_all

S = TransferProcessState
E = TransferEvent
CONSUMER, PROVIDER = TransferProcessType.CONSUMER, TransferProcessType.PROVIDER
OF_PROVIDER = {S.STARTING, S.STARTUP_REQUESTED, S.RESUMING_REQUESTED, S.COMPLETING}
OPEN = [(PROVIDER if s in OF_PROVIDER else CONSUMER, s) for s in S if s not in OUTCOMES] + [
    (PROVIDER, s) for s in (S.INITIAL, S.STARTED, S.SUSPENDING, S.SUSPENDED, S.RESUMING, S.TERMINATING)
]
PROVISIONED = ProvisionedResource(
    account="consumerorg",
    container="for-t-1",
    folder="",
    secret_alias=ALIAS,
    sas_expires_at=None,
)


class KilledError(BaseException):
    """The worker is gone: nobody handles this."""


async def test_a_transient_error_is_tried_again_with_growing_waits_and_the_same_message_id(rig: TransferRig) -> None:
    rig.client.fail("request_transfer", *(unavailable() for _ in range(5)))
    await rig.consumer()
    waits = []
    for _ in range(5):
        assert await rig.run() == "REQUESTING"
        process = await rig.now()
        assert process.next_attempt_at is not None
        waits.append((process.next_attempt_at - rig.clock.now()).total_seconds())
        rig.clock.at = process.next_attempt_at - timedelta(milliseconds=1)
        assert await rig.step() == 0, "not before its time"
        rig.clock.at = process.next_attempt_at
    assert await rig.run() == "REQUESTED"
    assert all(0.5 * 2**n <= wait <= 2**n for n, wait in enumerate(waits)), waits
    sent = rig.client.message_ids["request_transfer"]
    assert len(sent) == 6
    assert len(set(sent)) == 1


@pytest.mark.parametrize(("attempt", "least", "most"), [(0, 0.5, 1), (3, 4, 8), (6, 30, 60), (500, 30, 60)])
def test_waits_are_capped_and_spread(attempt: int, least: float, most: float) -> None:
    backoff = Backoff(base_seconds=1, cap_seconds=60)
    waits = {(backoff.next_attempt(attempt, unavailable(), NOW) - NOW).total_seconds() for _ in range(200)}
    assert least <= min(waits)
    assert max(waits) <= most
    assert len(waits) > 100, "many processes do not knock at the same moment"


@pytest.mark.parametrize(("asked", "least"), [(20, 20), (3600, 60), (0, 0.5)])
def test_a_peers_retry_after_is_heeded_up_to_the_cap(asked: float, least: float) -> None:
    wait = Backoff(base_seconds=1, cap_seconds=60).next_attempt(0, unavailable(retry_after_seconds=asked), NOW) - NOW
    assert least <= wait.total_seconds() <= max(least, 1)


async def test_a_call_that_hangs_is_cut_off_and_tried_again(rig: TransferRig) -> None:
    async def hangs(_call: str) -> None:
        await asyncio.Event().wait()

    rig.client.during = hangs
    await rig.consumer()
    assert await rig.run() == "REQUESTING"
    assert (await rig.now()).attempt == 1
    rig.client.during = None
    rig.clock.advance(2)
    assert await rig.run() == "REQUESTED"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PeerRefusedError("They answered 400: no.", status=400), "PeerRefused"),
        (ForbiddenAddressError("Not allowed."), "ForbiddenAddress"),
    ],
)
async def test_a_permanent_error_ends_the_transfer_with_its_reason(
    rig: TransferRig, error: PeerRefusedError, code: str
) -> None:
    rig.client.fail("request_transfer", error)
    await rig.consumer()
    assert await rig.run() == "TERMINATED"
    assert (await rig.now()).error == TransferError(code=code, message=error.message, remedy=error.remedy)
    assert (rig.secrets, rig.provisioner.valid) == ({}, set())


async def test_a_missing_secret_ends_the_transfer_and_its_alias_is_told_to_our_operator_alone(rig: TransferRig) -> None:
    rig.provisioner.fail("provision", SecretNotFoundError(alias="consumerorg"))
    await rig.consumer()
    assert await rig.run() == "TERMINATED"
    error = (await rig.now()).error
    assert error is not None
    assert (error.code, error.message) == ("SecretNotFound", SecretNotFoundError.outward)
    assert "'consumerorg'" in error.for_operator


async def test_no_signed_url_of_an_error_is_recorded(rig: TransferRig) -> None:
    text = "PUT https://a.blob.core.windows.net/c?sv=1&sig=PLANTED failed"
    rig.provisioner.fail("provision", PeerRefusedError(text, status=400))
    await rig.consumer()
    await rig.run()
    assert "PLANTED" not in repr(await rig.now())


@pytest.mark.parametrize(("side", "state"), OPEN)
async def test_every_state_ends_once_it_has_lasted_too_long(
    rig: TransferRig, side: TransferProcessType, state: S
) -> None:
    """Nobody answers any more, and what is tried fails each time."""
    for script in (rig.client, rig.provisioner, rig.data_plane):
        everything = ("provision", "request_transfer", "start_transfer", "complete_transfer", "suspend_transfer")
        script.always = {call: unavailable() for call in (*everything, "terminate_transfer", "start", "suspend")}
    make = rig.provider if side is PROVIDER else rig.consumer
    rig.secrets[ALIAS] = SAS
    held = {"provisioned": PROVISIONED, "resources": ResourcePhase.HELD, "secret_alias": ALIAS}
    await make(state=state, deadline_at=moment(LIMIT), **held)
    for _ in range(int(2 * LIMIT / 50) + 2):
        if await rig.run() in {"TERMINATED", "COMPLETED"}:
            break
        rig.clock.advance(50)
    ended = await rig.now()
    if state is S.COMPLETING:
        assert (ended.state, ended.error) == (S.COMPLETED, None), "everything is published and marked"
        return
    assert ended.state is S.TERMINATED
    assert rig.secrets == {}
    if state not in {S.TERMINATING, S.TERMINATING_REQUESTED, S.SUSPENDING_REQUESTED, S.INITIAL, S.PROVISIONED}:
        assert ended.error is not None
        assert ended.error.code == "DeadlineExceeded"
        assert ended.error.message == f"{state.name} lasted longer than the limit of 1000 seconds."


async def test_a_waiting_state_is_due_at_its_deadline_and_not_before(rig: TransferRig) -> None:
    await rig.consumer()
    await rig.run()
    assert await rig.due_at() == LIMIT
    rig.clock.advance(LIMIT - 1)
    assert await rig.run() == "REQUESTED"
    rig.clock.advance(1)
    assert await rig.run() == "TERMINATED"
    assert rig.client.count("terminate_transfer") == 1, "the provider is told"


async def test_an_end_that_the_provider_does_not_hear_of_happens_all_the_same(rig: TransferRig) -> None:
    await rig.consumer()
    await rig.run()
    rig.client.always["terminate_transfer"] = unavailable()
    await rig.tell(E.TERMINATE, {"code": "TerminatedByClient", "message": "Enough."})
    assert await rig.run() == "TERMINATING"
    rig.clock.advance(LIMIT)
    assert await rig.run() == "TERMINATED"
    assert (await rig.now()).error == TransferError(code="TerminatedByClient", message="Enough.")


@pytest.mark.parametrize("call", ["request_transfer", "start_transfer", "start", "provision", "revoke"])
async def test_a_crash_between_act_and_save_is_repeated_without_harm(rig: TransferRig, call: str) -> None:
    """The worker dies once after the call has reached the other side; another one takes over when the lease is over."""
    crashed = False

    async def dies(called: str) -> None:
        nonlocal crashed
        if called == call and not crashed:
            crashed = True
            raise KilledError

    for script in (rig.client, rig.provisioner, rig.data_plane):
        script.during = dies
    await (rig.provider() if call.startswith("start") else rig.consumer())
    for _ in range(20):
        for leased in await rig.lease(seconds=0.001):
            try:
                await rig.save(leased, await rig.manager.take_step(leased))
            except KilledError:
                await asyncio.sleep(0.002)
        if call == "revoke" and await rig.shown() == "REQUESTED":
            await rig.tell(E.TERMINATE)
    assert crashed
    assert await rig.shown() == {"request_transfer": "REQUESTED", "provision": "REQUESTED", "revoke": "TERMINATED"}.get(
        call, "STARTED"
    )
    assert len(set(rig.client.message_ids.get(call, ["same"]))) == 1, "the receiver recognises the repetition"
    assert rig.secrets == ({} if call == "revoke" else {ALIAS: SAS})


async def test_a_worker_that_lost_its_lease_saves_nothing(rig: TransferRig) -> None:
    await rig.consumer()
    [slow] = await rig.lease(seconds=0.001)
    await asyncio.sleep(0.002)
    assert await rig.run() == "REQUESTED"
    step = await rig.manager.take_step(slow)
    with pytest.raises(LeaseLostError):
        await rig.save(slow, step)
    assert await rig.shown() == "REQUESTED"


async def test_a_process_that_waits_for_its_next_attempt_does_not_hold_up_others(rig: TransferRig) -> None:
    rig.client.always["request_transfer"] = unavailable()
    for number in range(5):
        await rig.consumer(process_id=f"waiting-{number}")
    while await rig.step():
        pass
    rig.client.always.clear()
    await rig.consumer()
    [leased] = await rig.lease(limit=1)
    assert leased.entity.id == "t-1"


async def test_a_message_does_not_shorten_the_wait_for_the_next_attempt(rig: TransferRig) -> None:
    rig.client.always["request_transfer"] = unavailable()
    await rig.consumer()
    await rig.run()
    await rig.tell(E.START)
    assert await rig.run() == "REQUESTING"
    assert rig.client.count("request_transfer") == 1


async def test_a_wish_to_end_does_not_wait_for_the_next_attempt(rig: TransferRig) -> None:
    rig.client.always["request_transfer"] = unavailable()
    await rig.consumer()
    await rig.run()
    assert await rig.told(E.TERMINATE) == "TERMINATED"


@pytest.mark.parametrize("error", [VaultUnavailableError("down"), SecretNotFoundError(alias="consumerorg")])
async def test_a_revocation_that_fails_is_tried_until_it_works_and_the_outcome_stands(
    rig: TransferRig, error: VaultUnavailableError
) -> None:
    await rig.consumer()
    await rig.run()
    rig.provisioner.fail("revoke", error, error)
    assert await rig.told(E.TERMINATE) == "TERMINATED"
    assert (await rig.now()).resources is ResourcePhase.REVOKING
    assert rig.secrets == {}, "the vault is cleaned whatever the storage says"
    for _ in range(2):
        rig.clock.advance(120)
        await rig.run()
    ended = await rig.now()
    assert (ended.state, ended.resources, rig.secrets) == (S.TERMINATED, ResourcePhase.REVOKED, {})


async def test_what_an_operator_has_to_mend_is_tried_rarely(rig: TransferRig) -> None:
    await rig.consumer()
    await rig.run()
    rig.provisioner.always["revoke"] = SecretNotFoundError(alias="consumerorg")
    await rig.told(E.TERMINATE)
    for _ in range(48):
        rig.clock.advance(1800)
        await rig.run()
    assert rig.provisioner.count("revoke") <= 60, "in a day: less than one an hour once the back-off has grown"


async def test_a_transfer_whose_provisioning_never_worked_can_be_deprovisioned_all_the_same(rig: TransferRig) -> None:
    missing = SecretNotFoundError(alias="consumerorg")
    for call in ("provision", "revoke", "deprovision"):
        rig.provisioner.always[call] = missing
    await rig.consumer()
    assert await rig.run() == "TERMINATED"
    assert (await rig.now()).resources is ResourcePhase.REVOKED
    assert await rig.deprovision() == "DEPROVISIONED"


async def test_asking_again_to_deprovision_tries_at_once(rig: TransferRig) -> None:
    await rig.consumer()
    await rig.run()
    await rig.told(E.TERMINATE)
    rig.provisioner.fail("deprovision", SecretNotFoundError(alias="consumerorg"))
    assert await rig.deprovision() == "DEPROVISIONING"
    note = InboxMessage(id="again", kind="DEPROVISION", received_at=rig.clock.now())
    await rig.stores.transfer_processes.append("t-1", note, accept_all)
    assert await rig.run() == "DEPROVISIONED"


async def test_a_store_that_is_down_is_the_loops_matter(rig: TransferRig) -> None:
    rig.provisioner.fail("provision", StoreUnavailableError("down"))
    await rig.consumer()
    await rig.step()
    [leased] = await rig.lease()
    with pytest.raises(StoreUnavailableError):
        await rig.manager.take_step(leased)
