"""A fresh credential in mid-flight, the consumer's side: who gets one, how often, and until when."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final

import httpx
import pytest

from connector_spi.data_address import DataAddress
from connector_spi.errors import ConnectorError, PeerRefusedError, PeerUnavailableError
from control_plane.credential_messages import renewal_request
from control_plane.domain.placement import Placement
from control_plane.domain.sealed_address import unsealed
from control_plane.domain.transfer_process import (
    ProvisionedResource,
    TransferProcess,
    TransferProcessState,
    TransferProcessType,
)
from control_plane.ports.stores import Stores
from control_plane.protocol_api.app import create_protocol_app
from control_plane.protocol_api.credentials import CredentialEndpoint
from control_plane.protocol_api.exchange import Exchange
from control_plane.services.credential_issuer import CredentialIssuer
from control_plane.services.destination_doors import DestinationDoors
from control_plane.services.renewal_limit import RenewalLimit
from control_plane.services.transfer_addresses import TransferAddresses
from tests.control_plane_entities import NOW, transfer_process
from tests.fakes import FakeDataPlane, FakeProvisioner, ManualClock
from tests.unit.control_plane.keys import identity
from tests.unit.control_plane.protocol_rig import OTHERS, THEM, US, token
from vault_adapters.memory import InMemoryVault

S = TransferProcessState
ALIAS: Final = "transfer-process-t-1-data-address"


def consumers(**changes: Any) -> TransferProcess:
    facts = {
        "state": S.STARTED,
        "counter_party_id": THEM,
        "correlation_id": "provider-pid",
        "secret_alias": ALIAS,
        "provisioned": ProvisionedResource(
            account="consumerorg", container="for-t-1", folder="", secret_alias=ALIAS, sas_expires_at=NOW
        ),
    }
    return transfer_process(**{**facts, **changes})


@dataclass
class Consumer:
    """Our protocol endpoint, as the provider `THEM` sees it."""

    stores: Stores
    interval: float = 0
    secrets: dict[str, str] = field(default_factory=lambda: {ALIAS: "old"})
    provisioner: FakeProvisioner = field(default_factory=FakeProvisioner)
    data_plane: FakeDataPlane = field(default_factory=FakeDataPlane)
    clock: ManualClock = field(default_factory=ManualClock)

    def __post_init__(self) -> None:
        vault = InMemoryVault(self.secrets)
        issuer = CredentialIssuer(
            processes=self.stores.transfer_processes,
            doors=DestinationDoors(
                provisioners={"AzureStorage": self.provisioner},
                data_flows=self.data_plane,
                addresses=TransferAddresses(vault, self.stores.transfer_processes),
                vault=vault,
                clock=self.clock,
            ),
            limit=RenewalLimit(self.interval, self.clock),
        )
        endpoint = CredentialEndpoint(Exchange(identity(US, knows=(THEM, OTHERS))), issuer)
        self.app = create_protocol_app(endpoint.router())

    async def knows(self, **changes: Any) -> None:
        await self.stores.transfer_processes.create(consumers(**changes), due_at=None)

    async def asked(self, *, sender: str = THEM, pid: str = "t-1", **changes: Any) -> httpx.Response:
        body = renewal_request(message_id="", consumer_pid=pid, provider_pid="provider-pid")
        headers = {"Authorization": await token(identity(sender))}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="https://us.example") as http:
            return await http.post(f"/2025-1/transfers/{pid}/credential", json={**body, **changes}, headers=headers)


async def test_the_provider_of_a_running_transfer_gets_a_fresh_credential(stores: Stores) -> None:
    consumer = Consumer(stores)
    await consumer.knows()
    answer = await consumer.asked(**{"@id": "urn:uuid:1"})
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json() == {
        "@context": {"@vocab": "urn:dataspace-connector:credential-renewal:v1:"},
        "@type": "CredentialRenewal",
        "@id": "urn:uuid:1",
        "consumerPid": "t-1",
        "providerPid": "provider-pid",
        "secret": "sas-1-of-t-1",
        "expiresAt": (NOW + timedelta(hours=1)).isoformat(),
    }
    assert consumer.secrets == {ALIAS: "sas-1-of-t-1"}


@pytest.mark.parametrize("sender", [OTHERS, "did:web:nobody-knows"])
async def test_nobody_else_gets_one(stores: Stores, sender: str) -> None:
    consumer = Consumer(stores)
    await consumer.knows()
    answer = await consumer.asked(sender=sender)
    assert answer.status_code == (404 if sender == OTHERS else 401)
    assert (consumer.provisioner.calls, consumer.secrets) == ([], {ALIAS: "old"})


@pytest.mark.parametrize(
    "state",
    [S.COMPLETING_REQUESTED, S.COMPLETED, S.TERMINATING, S.TERMINATING_REQUESTED, S.TERMINATED, S.PROVISIONED],
)
async def test_none_is_given_before_the_request_or_once_the_outcome_is_known(stores: Stores, state: S) -> None:
    consumer = Consumer(stores)
    await consumer.knows(state=state)
    answer = await consumer.asked()
    assert answer.status_code == 409
    assert answer.json()["code"] == "CredentialRenewalRefused"
    assert consumer.provisioner.calls == []


@pytest.mark.parametrize("state", [S.SUSPENDING, S.SUSPENDED, S.SUSPENDING_REQUESTED])
async def test_none_is_given_while_the_transfer_is_paused(stores: Stores, state: S) -> None:
    consumer = Consumer(stores)
    await consumer.knows(state=state)
    answer = await consumer.asked()
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert state.name in answer.json()["reason"][0]
    assert consumer.provisioner.calls == []


@pytest.mark.parametrize("state", [S.REQUESTING, S.REQUESTED, S.STARTUP_REQUESTED, S.RESUMED, S.RESUMING_REQUESTED])
async def test_the_provider_may_be_ahead_of_what_this_side_has_heard(stores: Stores, state: S) -> None:
    consumer = Consumer(stores)
    await consumer.knows(state=state, correlation_id=None)
    assert (await consumer.asked()).status_code == 200


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"type": TransferProcessType.PROVIDER}, 404),
        ({"secret_alias": None}, 409),
        ({"provisioned": None}, 409),
        ({"transfer_type": "HttpData-PULL"}, 409),
        ({"correlation_id": "another-provider-pid"}, 400),
    ],
)
async def test_what_is_not_this_sides_own_push_is_not_renewed(
    stores: Stores, changes: dict[str, Any], status: int
) -> None:
    consumer = Consumer(stores)
    await consumer.knows(**changes)
    assert (await consumer.asked()).status_code == status
    assert consumer.provisioner.calls == []


@pytest.mark.parametrize("changes", [{"consumerPid": "t-2"}, {"providerPid": None}, {"@type": "TransferStartMessage"}])
async def test_a_message_that_is_not_about_this_transfer_is_refused(stores: Stores, changes: dict[str, Any]) -> None:
    consumer = Consumer(stores)
    await consumer.knows()
    assert (await consumer.asked(**changes)).status_code == 400
    assert consumer.provisioner.calls == []


async def test_who_asks_too_often_is_told_when_to_come_again(stores: Stores) -> None:
    consumer = Consumer(stores, interval=30)
    await consumer.knows()
    assert (await consumer.asked()).status_code == 200
    consumer.clock.advance(20)
    refused = await consumer.asked()
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "10")
    assert consumer.provisioner.count("renew") == 1
    consumer.clock.advance(10)
    assert (await consumer.asked()).status_code == 200


async def test_a_storage_that_did_not_answer_does_not_count(stores: Stores) -> None:
    consumer = Consumer(stores, interval=30)
    await consumer.knows()
    consumer.provisioner.fail("renew", PeerUnavailableError("storage is away"))
    assert (await consumer.asked()).status_code == 503
    assert (await consumer.asked()).status_code == 200


async def test_transfers_do_not_count_for_one_another(stores: Stores) -> None:
    consumer = Consumer(stores, interval=30)
    for number in range(300):
        await consumer.knows(id=f"t-{number}", correlation_id=None)
    assert {(await consumer.asked(pid=f"t-{number}")).status_code for number in range(300)} == {200}
    assert (await consumer.asked(pid="t-7")).status_code == 429


def prepared(secret: str = "prepared-anew") -> DataAddress:
    return DataAddress("AzureStorage", {"account": "consumerorg", "container": "c", "secret": secret})


async def test_what_a_data_plane_prepared_is_renewed_by_that_data_plane(stores: Stores) -> None:
    consumer = Consumer(stores)
    consumer.data_plane.address = prepared()
    await consumer.knows(provisioned=None, data_plane_id="plane-1")
    answer = await consumer.asked()
    assert (answer.status_code, answer.json()["secret"]) == (200, "prepared-anew")
    assert consumer.data_plane.calls == ["renew_credential"]
    assert unsealed(consumer.secrets[ALIAS]) == prepared()
    assert consumer.provisioner.calls == []


@pytest.mark.parametrize(
    ("address", "error"),
    [
        (None, None),
        (prepared(secret=""), None),
        (prepared(), PeerRefusedError("The data plane does not know the path.", status=404)),
    ],
)
async def test_a_data_plane_that_gives_no_credential_makes_it_a_refusal(
    stores: Stores, address: DataAddress | None, error: ConnectorError | None
) -> None:
    consumer = Consumer(stores)
    consumer.data_plane.address = address
    if error:
        consumer.data_plane.fail("renew_credential", error)
    await consumer.knows(provisioned=None, data_plane_id="plane-1")
    assert (await consumer.asked()).status_code == 409
    assert consumer.secrets == {ALIAS: "old"}


async def ended(stores: Stores) -> None:
    [leased] = await stores.transfer_processes.lease_due(now=NOW, limit=1, lease_seconds=60, owner="test")
    over = replace(leased.entity, state=S.TERMINATED)
    await stores.transfer_processes.save(over, epoch=leased.epoch, applied=(), due_at=None)


async def test_an_outcome_that_comes_while_it_is_minted_leaves_nothing_behind(stores: Stores) -> None:
    consumer = Consumer(stores)
    await stores.transfer_processes.create(consumers(), due_at=NOW)

    async def end(call: str) -> None:
        if call == "renew":
            await ended(stores)

    consumer.provisioner.during = end
    assert (await consumer.asked()).status_code == 409
    assert (consumer.secrets, consumer.provisioner.valid) == ({}, set())


async def test_nothing_can_be_written_beside_what_is_being_placed_though_it_was_asked_for_before(
    stores: Stores,
) -> None:
    consumer = Consumer(stores)
    process = consumers()
    assert process.provisioned is not None
    made = replace(process.provisioned, placement=Placement(container="mine"))
    await stores.transfer_processes.create(replace(process, provisioned=made), due_at=NOW)

    async def arrive(call: str) -> None:
        if call == "renew":
            [leased] = await stores.transfer_processes.lease_due(now=NOW, limit=1, lease_seconds=60, owner="test")
            process = replace(leased.entity.with_arrival(None), state=S.COMPLETING_REQUESTED)
            await stores.transfer_processes.save(process, epoch=leased.epoch, applied=(), due_at=None)

    consumer.provisioner.during = arrive
    assert (await consumer.asked()).status_code == 409
    assert (consumer.secrets, consumer.provisioner.valid) == ({}, set())
