"""The consumer's side of a transfer, from the client's request to nothing left."""

import pytest

from connector_spi.data_address import DataAddress
from connector_spi.errors import InvalidTransitionError
from control_plane.domain.transfer_process import (
    NO_DESTINATION,
    ResourcePhase,
    TransferError,
    TransferProcessState,
    TransferProcessType,
)
from control_plane.domain.transfer_state_machine import WAITING, TransferEvent
from control_plane.ports.completion_evidence import Arrived, Failed
from tests.fakes import unavailable
from tests.unit.control_plane.transfer_rig import ALIAS, SAS, TRUSTED, TransferRig

S = TransferProcessState
E = TransferEvent
ARRIVED = Arrived(object_count=1, bytes_total=1)


async def started(rig: TransferRig, **changes: object) -> None:
    await rig.consumer(**changes)
    await rig.run()
    await rig.told(E.START)


def test_it_acts_in_every_open_state_in_which_it_does_not_wait_and_in_no_other(rig: TransferRig) -> None:
    of_provider_only = {S.STARTING}
    waiting = WAITING[TransferProcessType.CONSUMER]
    acting = set(S) - waiting - of_provider_only - {S.COMPLETED, S.TERMINATED}
    assert set(rig.consumer_acts.acts()) == {(TransferProcessType.CONSUMER, state) for state in acting}


async def test_a_transfer_goes_from_request_to_nothing_left(rig: TransferRig) -> None:
    await rig.consumer()
    assert await rig.run() == "REQUESTED"
    assert rig.secrets == {ALIAS: SAS}
    assert await rig.told(E.START) == "STARTED"
    rig.evidence.found["t-1"] = ARRIVED
    assert await rig.told(E.COMPLETE_BY_COUNTERPARTY) == "COMPLETED"
    assert rig.provisioner.containers == {"for-t-1"}, "the client's data stays until the client says otherwise"
    assert (rig.secrets, rig.provisioner.valid) == ({}, set())
    assert await rig.deprovision() == "DEPROVISIONED"
    assert rig.provisioner.containers == set()
    assert rig.history == [
        *("PROVISIONING", "PROVISIONED", "REQUESTING", "REQUESTED", "STARTUP_REQUESTED", "STARTED"),
        *("COMPLETING_REQUESTED", "COMPLETED", "DEPROVISIONING", "DEPROVISIONED"),
    ]
    assert await rig.due_at() is None, "nothing is left to be done"
    assert (await rig.now()).state is S.COMPLETED, "the outcome never changes"


async def test_the_plan_is_saved_before_anything_is_made(rig: TransferRig) -> None:
    await rig.consumer()
    await rig.step()
    planned = await rig.now()
    assert planned.provisioned is not None
    assert (planned.state, planned.secret_alias, rig.provisioner.calls) == (S.PROVISIONING, ALIAS, [])


async def test_the_message_id_is_saved_before_the_request_is_sent(rig: TransferRig) -> None:
    await rig.consumer()
    while await rig.shown() != "REQUESTING":
        await rig.step()
    saved = await rig.now()
    assert saved.message_id is not None
    assert rig.client.calls == []
    await rig.run()
    assert rig.client.message_ids["request_transfer"] == [saved.message_id]


async def test_the_request_carries_secret_and_nonce_but_no_alias_and_the_process_keeps_no_secret(
    rig: TransferRig,
) -> None:
    await rig.consumer()
    await rig.run()
    [sent] = rig.client.destinations
    assert sent is not None
    assert (sent.get("secret"), sent.get("transferNonce"), sent.get("container")) == (SAS, "nonce-1", "for-t-1")
    assert "keyName" not in sent.properties
    kept = await rig.now()
    assert SAS not in repr(kept)
    assert kept.correlation_id == "provider-pid-of-t-1"


async def test_evidence_alone_completes_it(rig: TransferRig) -> None:
    await started(rig)
    assert await rig.told(E.COMPLETE_BY_EVIDENCE) == "COMPLETED"
    assert (rig.secrets, rig.provisioner.valid) == ({}, set())


async def test_the_providers_word_alone_does_not_complete_it(rig: TransferRig) -> None:
    await started(rig)
    assert await rig.told(E.COMPLETE_BY_COUNTERPARTY) == "COMPLETING_REQUESTED"
    rig.clock.advance(60)
    assert await rig.run() == "COMPLETING_REQUESTED"
    rig.evidence.found["t-1"] = ARRIVED
    rig.clock.advance(60)
    assert await rig.run() == "COMPLETED"


async def test_the_word_of_a_provider_that_writes_no_marker_counts(rig: TransferRig) -> None:
    await started(rig, counter_party_id=TRUSTED)
    assert await rig.told(E.COMPLETE_BY_COUNTERPARTY) == "COMPLETED"
    assert rig.evidence.calls == []


async def test_a_failure_marker_behind_the_providers_word_ends_it_and_the_provider_is_told(rig: TransferRig) -> None:
    await started(rig)
    error = TransferError(code="SourceChanged", message="It changed.")
    rig.evidence.found["t-1"] = Failed(error)
    assert await rig.told(E.COMPLETE_BY_COUNTERPARTY) == "TERMINATED"
    assert (await rig.now()).error == error
    assert rig.client.reasons == [error]


async def test_the_providers_reason_reaches_the_client_and_the_secrets_go(rig: TransferRig) -> None:
    await started(rig)
    await rig.tell(E.TERMINATE_BY_COUNTERPARTY, {"code": "NoSuchBlob", "message": "There is no such blob."})
    assert await rig.run() == "TERMINATED"
    ended = await rig.now()
    assert ended.error == TransferError(code="NoSuchBlob", message="There is no such blob.")
    assert (ended.resources, ended.secret_alias) == (ResourcePhase.REVOKED, None)
    assert (rig.secrets, rig.provisioner.valid) == ({}, set())
    assert rig.client.count("terminate_transfer") == 0, "the provider knows"


async def test_a_client_ends_it_and_the_provider_is_told_why(rig: TransferRig) -> None:
    await started(rig)
    await rig.tell(E.TERMINATE, {"code": "TerminatedByClient", "message": "No longer needed."})
    assert await rig.run() == "TERMINATED"
    assert rig.client.reasons == [TransferError(code="TerminatedByClient", message="No longer needed.")]


async def test_a_provider_that_never_heard_of_it_is_not_told_of_the_end(rig: TransferRig) -> None:
    await rig.consumer()
    assert await rig.told(E.TERMINATE) == "TERMINATED"
    assert rig.client.calls == []


async def test_it_is_suspended_and_resumed_by_the_client(rig: TransferRig) -> None:
    await started(rig)
    assert await rig.told(E.SUSPEND) == "SUSPENDED"
    assert await rig.told(E.RESUME) == "RESUMED"
    assert await rig.told(E.START) == "STARTED"
    assert rig.client.calls[-2:] == ["suspend_transfer", "start_transfer"]


async def test_it_is_suspended_and_resumed_by_the_provider(rig: TransferRig) -> None:
    await started(rig)
    assert await rig.told(E.SUSPEND_BY_COUNTERPARTY) == "SUSPENDED"
    assert await rig.told(E.START) == "STARTED"
    assert rig.client.calls == ["request_transfer"]


async def test_a_start_that_comes_before_the_answer_to_the_request_is_kept(rig: TransferRig) -> None:
    """The provider is quick, and the first answer is lost: the start message is there before the second request."""
    await rig.consumer()
    while await rig.shown() != "REQUESTING":
        await rig.step()
    await rig.tell(E.START, {"correlationId": "provider-pid-of-t-1"})
    assert await rig.run() == "STARTED"


async def test_what_comes_while_a_step_is_under_way_is_kept(rig: TransferRig) -> None:
    async def provider_is_quick(call: str) -> None:
        if call == "request_transfer":
            await rig.tell(E.START)

    rig.client.during = provider_is_quick
    await rig.consumer()
    assert await rig.run() == "STARTED"


async def test_the_same_message_twice_is_one_message(rig: TransferRig) -> None:
    await started(rig)
    assert await rig.tell(E.SUSPEND_BY_COUNTERPARTY, message_id="m-1")
    assert not await rig.tell(E.SUSPEND_BY_COUNTERPARTY, message_id="m-1")
    await rig.run()
    assert await rig.told(E.START) == "STARTED"
    assert not await rig.tell(E.SUSPEND_BY_COUNTERPARTY, message_id="m-1"), "applied long ago"
    assert await rig.run() == "STARTED"


@pytest.mark.parametrize("event", [E.START, E.COMPLETE_BY_EVIDENCE, E.TERMINATE_BY_COUNTERPARTY, E.TERMINATE])
async def test_nothing_is_accepted_after_the_outcome(rig: TransferRig, event: E) -> None:
    await started(rig)
    await rig.told(E.COMPLETE_BY_EVIDENCE)
    with pytest.raises(InvalidTransitionError):
        await rig.tell(event)
    assert await rig.run() == "COMPLETED"


async def test_the_first_of_two_outcomes_wins(rig: TransferRig) -> None:
    """Both were stored by two connectors before either was applied; only the inbox's order decides."""
    await started(rig)
    await rig.tell(E.TERMINATE_BY_COUNTERPARTY, {"code": "First", "message": "came first"})
    with pytest.raises(InvalidTransitionError):
        await rig.tell(E.COMPLETE_BY_EVIDENCE)
    assert await rig.run() == "TERMINATED"
    assert (await rig.now()).error == TransferError(code="First", message="came first")


async def test_deprovisioning_before_the_revocation_does_both(rig: TransferRig) -> None:
    await started(rig)
    await rig.tell(E.COMPLETE_BY_EVIDENCE)
    await rig.step()
    assert (await rig.now()).resources is ResourcePhase.REVOKING
    assert await rig.deprovision() == "DEPROVISIONED"
    assert (rig.secrets, rig.provisioner.valid, rig.provisioner.containers) == ({}, set(), set())


async def test_a_transfer_that_made_nothing_is_deprovisioned_at_once(rig: TransferRig) -> None:
    await rig.consumer()
    await rig.told(E.TERMINATE)
    assert await rig.deprovision() == "DEPROVISIONED"
    assert rig.provisioner.calls == []


PULL = {"transfer_type": "HttpData-PULL", "data_destination": NO_DESTINATION}
PREPARED = DataAddress("AzureStorage", {"account": "consumerorg", "container": "made-there", "secret": SAS})


def prepared_by_data_plane(rig: TransferRig) -> None:
    rig.data_plane.prepares = ("AzureStorage-PUSH", "HttpData-PULL")


async def test_through_the_data_planes_door_nothing_is_provisioned_here(rig: TransferRig) -> None:
    prepared_by_data_plane(rig)
    rig.data_plane.address = PREPARED
    await started(rig)
    assert (rig.provisioner.calls, rig.data_plane.calls) == ([], ["prepare", "notify_started"])
    [destination] = rig.client.destinations
    assert destination is not None
    assert (destination.get("container"), destination.get("secret")) == ("made-there", SAS)
    assert (destination.get("transferNonce"), destination.get("consumerProcessId")) == ("nonce-1", "t-1")
    assert SAS not in repr(await rig.now())
    assert await rig.told(E.COMPLETE_BY_COUNTERPARTY) == "COMPLETED"
    assert (rig.data_plane.calls[-1], rig.evidence.calls, rig.secrets) == ("complete", [], {})


async def test_the_door_is_on_record_before_the_data_plane_is_asked(rig: TransferRig) -> None:
    prepared_by_data_plane(rig)
    rig.data_plane.address = PREPARED
    rig.data_plane.fail("prepare", unavailable())
    await rig.consumer()
    await rig.step()
    planned = await rig.now()
    assert (planned.data_plane_id, planned.secret_alias, rig.data_plane.calls) == ("plane-1", ALIAS, [])
    rig.data_plane.prepares = ()
    await rig.run()
    rig.clock.advance(10)
    assert await rig.run() == "REQUESTED", "a setting that changes meanwhile opens no second door"
    assert rig.provisioner.calls == []
    assert len(set(rig.data_plane.message_ids["prepare"])) == 1, "a repeated message is the same message"


async def test_a_push_without_an_address_ends_with_a_reason(rig: TransferRig) -> None:
    prepared_by_data_plane(rig)
    await rig.consumer()
    assert await rig.run() == "TERMINATED"
    error = (await rig.now()).error
    assert error is not None
    assert error.code == "DataAddressMissing"
    assert rig.data_plane.calls == ["prepare", "terminate"]


async def test_a_data_plane_that_is_down_does_not_keep_the_provider_waiting_for_the_end(rig: TransferRig) -> None:
    prepared_by_data_plane(rig)
    await started(rig, **PULL)
    rig.data_plane.fail("terminate", unavailable())
    await rig.told(E.TERMINATE)
    assert (await rig.shown(), rig.client.calls[-1]) == ("TERMINATING", "terminate_transfer")
    rig.clock.advance(10)
    assert await rig.run() == "TERMINATED"


async def test_a_start_that_overtakes_the_pause_keeps_the_address_that_it_brought(rig: TransferRig) -> None:
    await started(rig, **PULL)
    await rig.tell(E.SUSPEND_BY_COUNTERPARTY)
    # As the receiving side does it: the address first, then the message that it came with.
    rig.secrets[ALIAS] = "the fresh address"
    await rig.tell(E.START)
    assert await rig.run() == "STARTED"
    assert rig.secrets == {ALIAS: "the fresh address"}
    assert rig.data_plane.calls == [], "this consumer has no data plane"


async def test_what_comes_while_the_data_plane_is_told_of_the_start_is_kept(rig: TransferRig) -> None:
    async def provider_is_quick(call: str) -> None:
        if call == "notify_started":
            await rig.tell(E.SUSPEND_BY_COUNTERPARTY)
            await rig.tell(E.START)
            await rig.tell(E.COMPLETE_BY_COUNTERPARTY)

    prepared_by_data_plane(rig)
    rig.data_plane.during = provider_is_quick
    await rig.consumer(**PULL)
    await rig.run()
    assert await rig.told(E.START) == "COMPLETED"
    assert rig.data_plane.calls == ["prepare", "notify_started", "suspend", "resume", "complete"]


async def test_an_http_push_goes_through_the_data_planes_door_and_completes_on_its_consent(rig: TransferRig) -> None:
    rig.data_plane.prepares = ("HttpData-PUSH",)
    rig.data_plane.address = DataAddress(
        "HttpData", {"endpoint": "https://us.example/public/inbox/x/", "authType": "bearer", "authorization": SAS}
    )
    wish = DataAddress("LocalFile", {"path": "received"})
    await started(rig, transfer_type="HttpData-PUSH", data_destination=wish)
    [destination] = rig.client.destinations
    assert destination is not None
    assert (destination.type, destination.get("authorization")) == ("HttpData", SAS)
    assert SAS not in repr(await rig.now())
    assert await rig.told(E.COMPLETE_BY_COUNTERPARTY) == "COMPLETED"
    assert (rig.data_plane.calls[-1], rig.evidence.calls, rig.secrets) == ("complete", [], {})
