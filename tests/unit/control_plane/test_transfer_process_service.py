"""What clients ask of transfers; the checks of each member are in the tests of the management API."""

from dataclasses import replace
from typing import Any

import pytest

from connector_spi.data_address import DataAddress
from connector_spi.errors import ConflictError, InvalidInputError, InvalidTransitionError, NotFoundError
from control_plane.domain.contract_negotiation import NegotiationState
from control_plane.domain.transfer_process import (
    NO_DESTINATION,
    ResourcePhase,
    TransferProcessState,
    TransferProcessType,
)
from control_plane.domain.transfer_state_machine import TransferEvent
from control_plane.ports.stores import Stores
from control_plane.services.transfer_process_service import TransferProcessService, TransferRequest
from tests.control_plane_entities import agreement, negotiation, transfer_process
from tests.fakes import FakeDataPlane, FakeProvisioner, ManualClock
from tests.unit.control_plane.transfer_rig import TransferRig

S = TransferProcessState
E = TransferEvent
US = "did:web:us"


def service(stores: Stores, data_plane: FakeDataPlane | None = None) -> TransferProcessService:
    return TransferProcessService(
        participant_id=US,
        stores=stores,
        provisioners={"AzureStorage": FakeProvisioner()},
        data_flows=data_plane or FakeDataPlane(),
        clock=ManualClock(),
    )


async def agreed(stores: Stores) -> None:
    found = negotiation(state=NegotiationState.FINALIZED, correlation_id="pid", agreement=agreement())
    await stores.contract_negotiations.create(found, due_at=None)


def request(**changes: Any) -> TransferRequest:
    facts: dict[str, Any] = {
        "id": "t-1",
        "contract_id": "a-1",
        "counter_party_address": "https://them.example/2025-1",
        "protocol": "dataspace-protocol-http:2025-1",
        "transfer_type": "AzureStorage-PUSH",
        "data_destination": DataAddress("AzureStorage", {"account": "consumerorg"}),
        **changes,
    }
    return TransferRequest(**facts)


async def test_the_same_request_under_the_same_id_is_the_same_process(stores: Stores) -> None:
    await agreed(stores)
    first = await service(stores).initiate(request())
    again = await service(stores).initiate(request())
    assert (again.id, again.nonce) == (first.id, first.nonce)


async def test_another_request_under_the_same_id_is_refused(stores: Stores) -> None:
    await agreed(stores)
    await service(stores).initiate(request())
    with pytest.raises(ConflictError, match="requested differently"):
        await service(stores).initiate(request(private_properties={"a": 1}))


async def test_a_secret_in_the_destination_is_not_kept(stores: Stores) -> None:
    await agreed(stores)
    destination = DataAddress("AzureStorage", {"account": "consumerorg", "sasToken": "PLANTED"})
    process = await service(stores).initiate(request(data_destination=destination))
    assert "PLANTED" not in repr(process)


@pytest.mark.parametrize("process_id", ["../x", ".x", "a b", "a\n", "x" * 129, "a/b"])
async def test_an_id_that_no_name_can_be_made_from_is_refused(stores: Stores, process_id: str) -> None:
    await agreed(stores)
    with pytest.raises(InvalidInputError, match="@id"):
        await service(stores).initiate(request(id=process_id))


async def test_two_clients_may_wish_for_the_end_before_it_is_noted(rig: TransferRig) -> None:
    await rig.consumer()
    await rig.run()
    for reason in ("first", "second"):
        await service(rig.stores).terminate("t-1", reason)
    assert await rig.run() == "TERMINATED"
    error = (await rig.now()).error
    assert error is not None
    assert error.message == "first"
    await service(rig.stores).terminate("t-1", "third")


@pytest.mark.parametrize(
    ("command", "states"),
    [
        ("suspend", {S.STARTED}),
        ("resume", {S.SUSPENDED, S.SUSPENDING, S.SUSPENDING_REQUESTED}),
        ("deprovision", {S.COMPLETED, S.TERMINATED}),
    ],
)
async def test_a_command_is_taken_where_it_can_be_followed(stores: Stores, command: str, states: set[S]) -> None:
    taken = set()
    consumers = set(S) - {S.STARTING, S.STARTUP_REQUESTED, S.RESUMING_REQUESTED, S.COMPLETING}
    for state in consumers:
        process = transfer_process(state.name, state=state, resources=ResourcePhase.HELD)
        await stores.transfer_processes.create(process, due_at=None)
        arguments = ["why"] if command == "suspend" else []
        try:
            await getattr(service(stores), command)(state.name, *arguments)
        except ConflictError:
            continue
        taken.add(state)
    assert taken == states


PULL = {"transfer_type": "HttpData-PULL", "data_destination": NO_DESTINATION}


async def test_a_client_completes_the_pull_that_it_fetched(rig: TransferRig) -> None:
    await rig.consumer(**PULL)
    await rig.run()
    with pytest.raises(InvalidTransitionError):
        await service(rig.stores).complete("t-1")
    assert await rig.told(E.START) == "STARTED"
    await service(rig.stores).complete("t-1")
    assert await rig.run() == "COMPLETED"
    assert rig.client.calls[-1] == "complete_transfer"
    await service(rig.stores).complete("t-1")
    assert rig.client.calls.count("complete_transfer") == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"transfer_type": "AzureStorage-PUSH"},
        {"data_plane_id": "fetcher"},
        {"transfer_type": "AzureStorage-PUSH", "type": TransferProcessType.PROVIDER},
    ],
    ids=["push", "fetched by a data plane", "push of the provider"],
)
async def test_no_client_completes_what_others_deliver(stores: Stores, changes: dict[str, Any]) -> None:
    facts: dict[str, Any] = {"state": S.STARTED, **PULL, "correlation_id": "pid", **changes}
    await stores.transfer_processes.create(transfer_process(**facts), due_at=None)
    with pytest.raises(ConflictError, match="completes when"):
        await service(stores).complete("t-1")


async def test_a_pull_goes_into_storage_only_where_a_data_plane_fetches(stores: Stores) -> None:
    await agreed(stores)
    pull = request(transfer_type="HttpData-PULL")
    with pytest.raises(InvalidInputError, match="dataDestination"):
        await service(stores).initiate(pull)
    proxied = request(transfer_type="HttpData-PULL", data_destination=DataAddress("HttpProxy"))
    assert (await service(stores).initiate(proxied)).state is S.INITIAL
    fetching = FakeDataPlane()
    fetching.prepares = ("HttpData-PULL",)
    assert (await service(stores, fetching).initiate(replace(pull, id="t-2"))).state is S.INITIAL


async def test_a_completed_transfer_cannot_be_terminated(stores: Stores) -> None:
    await stores.transfer_processes.create(transfer_process(state=S.COMPLETED), due_at=None)
    with pytest.raises(InvalidTransitionError):
        await service(stores).terminate("t-1", "too late")


@pytest.mark.parametrize("command", ["get", "resume", "deprovision"])
async def test_an_unknown_process_is_not_found(stores: Stores, command: str) -> None:
    with pytest.raises(NotFoundError):
        await getattr(service(stores), command)("unknown")


async def test_deprovisioning_may_be_asked_for_again(rig: TransferRig) -> None:
    await rig.consumer()
    await rig.run()
    await service(rig.stores).terminate("t-1", "")
    await rig.run()
    for _ in range(2):
        await service(rig.stores).deprovision("t-1")
    assert await rig.run() == "DEPROVISIONED"
    await service(rig.stores).deprovision("t-1")
    assert await rig.run() == "DEPROVISIONED"
    assert rig.provisioner.count("deprovision") == 1


MINE = DataAddress("AzureStorage", {"account": "consumerorg", "container": "mine", "ifExists": "skip"})


async def test_an_existing_container_may_be_named(stores: Stores) -> None:
    await agreed(stores)
    wish = request(managed_resources=False, data_destination=MINE)
    process = await service(stores).initiate(wish)
    assert (process.managed_resources, process.data_destination) == (False, MINE)
    with pytest.raises(ConflictError):
        await service(stores).initiate(request(data_destination=MINE.without("ifExists")))


@pytest.mark.parametrize("name", ["access", "ifExists"])
async def test_what_is_about_existing_containers_is_refused_for_one_that_is_to_be_made(
    stores: Stores, name: str
) -> None:
    await agreed(stores)
    destination = DataAddress("AzureStorage", {"account": "consumerorg", name: "staging"})
    with pytest.raises(InvalidInputError, match=name):
        await service(stores).initiate(request(data_destination=destination))


async def test_a_data_plane_that_makes_destinations_cannot_use_an_existing_container(stores: Stores) -> None:
    await agreed(stores)
    data_plane = FakeDataPlane()
    data_plane.prepares = ("AzureStorage-PUSH",)
    with pytest.raises(InvalidInputError, match="managedResources") as refusal:
        await service(stores, data_plane).initiate(request(managed_resources=False, data_destination=MINE))
    assert "provision_with" in refusal.value.message


async def test_a_pull_that_its_client_fetches_makes_nothing_whatever_is_said_of_resources(stores: Stores) -> None:
    await agreed(stores)
    pull = request(managed_resources=False, transfer_type="HttpData-PULL", data_destination=NO_DESTINATION)
    assert not (await service(stores).initiate(pull)).managed_resources
