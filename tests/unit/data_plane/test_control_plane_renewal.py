"""A fresh credential by way of the flow's own control plane: where it rests, and what is refused."""

from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest

from connector_spi.data_address import DataAddress, DataAddressMessage
from connector_spi.errors import ConnectorError, PeerRefusedError, PeerUnavailableError
from connector_spi.signaling import DataFlowState, DataFlowStatusMessage
from data_plane.adapters.memory_data_flow_store import MemoryDataFlowStore
from data_plane.adapters.renewal_answer import renewed_address
from data_plane.domain.data_flow import DataFlow, DataFlowRole
from data_plane.ports.credential_renewal import RenewalUnavailableError
from data_plane.ports.destination_preparer import PreparedDestination
from data_plane.services.control_plane_renewal import ControlPlaneRenewal
from data_plane.services.own_destination_renewal import OwnDestinationRenewal
from data_plane.services.renewed_secret import RenewedSecrets
from tests.unit.data_plane.fakes import ManualClock, MemoryControlPlane, a_data_flow
from vault_adapters.memory import InMemoryVault

ALIAS = "data-flow-flow-1-destination"
PLACE = {"account": "consumerorg", "container": "c-1"}


class Answering(MemoryControlPlane):
    """Ends the flow while it is asked, where the test wants that."""

    def __init__(self, store: MemoryDataFlowStore, ends: DataFlowState | None = None) -> None:
        super().__init__()
        self.store = store
        self.ends = ends

    async def credential(self, flow: DataFlow, message: DataFlowStatusMessage) -> DataAddress:
        if self.ends:
            found = await self.store.find(flow.id)
            assert found is not None
            await self.store.save(with_state(found, self.ends))
        return await super().credential(flow, message)


def with_state(flow: DataFlow, state: DataFlowState) -> DataFlow:
    return a_data_flow(flow.id, state=state, version=flow.version)


@dataclass
class Rig:
    ends: DataFlowState | None = None
    shares_vault: bool = False
    secrets: dict[str, str] = field(default_factory=lambda: {ALIAS: "old"})

    def __post_init__(self) -> None:
        self.store = MemoryDataFlowStore(ManualClock())
        self.control_plane = Answering(self.store, self.ends)
        self.flow = a_data_flow(
            destination=DataAddress("AzureStorage", {**PLACE, "keyName": ALIAS}),
            vault_aliases=() if self.shares_vault else (ALIAS,),
        )

    async def renewed(self, **answered: str) -> None:
        await self.store.add(self.flow)
        self.control_plane.fresh = DataAddress("AzureStorage", answered)
        renewal = ControlPlaneRenewal(self.control_plane, RenewedSecrets(InMemoryVault(self.secrets), self.store))
        await renewal.renewed(self.flow)


async def test_a_secret_that_is_answered_replaces_the_one_in_the_vault() -> None:
    rig = Rig()
    await rig.renewed(**PLACE, secret="fresh")
    assert rig.secrets == {ALIAS: "fresh"}


async def test_with_a_shared_vault_the_alias_says_that_it_is_there() -> None:
    rig = Rig(shares_vault=True)
    await rig.renewed(**PLACE, keyName=ALIAS)
    assert rig.secrets == {ALIAS: "old"}


@pytest.mark.parametrize(
    ("shares_vault", "answered"),
    [
        (True, {**PLACE, "secret": "fresh"}),
        (False, {**PLACE}),
        (False, {**PLACE, "keyName": "another-alias"}),
        (False, {**PLACE, "container": "c-2", "secret": "fresh"}),
        (False, {**PLACE, "account": "elsewhere", "secret": "fresh"}),
    ],
)
async def test_what_is_not_this_flows_own_credential_is_not_taken(shares_vault: bool, answered: dict[str, str]) -> None:
    rig = Rig(shares_vault=shares_vault)
    with pytest.raises(RenewalUnavailableError):
        await rig.renewed(**answered)
    assert rig.secrets == {ALIAS: "old"}


@pytest.mark.parametrize("ends", [DataFlowState.TERMINATED, DataFlowState.COMPLETED])
async def test_a_secret_for_a_flow_that_ended_meanwhile_does_not_stay_in_the_vault(ends: DataFlowState) -> None:
    rig = Rig(ends=ends)
    with pytest.raises(RenewalUnavailableError):
        await rig.renewed(**PLACE, secret="fresh")
    assert rig.secrets == {}


@pytest.mark.parametrize(
    ("error", "seen"),
    [
        (PeerRefusedError("no", status=409), RenewalUnavailableError),
        (PeerUnavailableError("later"), PeerUnavailableError),
    ],
)
async def test_a_refusal_is_final_and_silence_is_not(error: ConnectorError, seen: type[ConnectorError]) -> None:
    rig = Rig()
    rig.control_plane.error = error
    with pytest.raises(seen):
        await rig.renewed()


def answer(status: int, body: Any = None, **headers: str) -> httpx.Response:
    return httpx.Response(status, json=body, headers=headers)


def test_the_answers_address_is_read_with_its_secret() -> None:
    sent = DataAddress("AzureStorage", {**PLACE, "secret": "fresh"})
    told = DataFlowStatusMessage(data_flow_id="flow-1", data_address=DataAddressMessage.of(sent))
    assert renewed_address(answer(200, told.wire())) == sent


@pytest.mark.parametrize("status", [400, 404, 405, 409, 410, 501])
def test_an_answer_that_will_not_change_is_final(status: int) -> None:
    with pytest.raises(PeerRefusedError):
        renewed_address(answer(status))


@pytest.mark.parametrize("body", [None, [], {}, {"dataAddress": 1}, {"dataAddress": {"endpointType": "x" * 70_000}}])
def test_an_answer_without_an_address_is_no_renewal(body: Any) -> None:
    with pytest.raises(PeerRefusedError):
        renewed_address(answer(200, body))


@pytest.mark.parametrize("status", [401, 403, 408, 425, 429, 500, 502, 503])
def test_an_answer_that_may_change_is_asked_for_again(status: int) -> None:
    with pytest.raises(PeerUnavailableError) as caught:
        renewed_address(answer(status, {"message": "GET https://a.example/x?sig=PLANTED"}, **{"Retry-After": "7"}))
    assert caught.value.retry_after_seconds == 7
    assert "PLANTED" not in caught.value.message


class Preparer:
    """Gives another signature at each call."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, DataAddress]] = []

    async def prepare(self, flow_id: str, wish: DataAddress) -> PreparedDestination:
        self.calls.append((flow_id, wish))
        return PreparedDestination(wish, f"signature-{len(self.calls)}")

    async def release(self, _flow_id: str, _address: DataAddress, *, delivered: bool) -> None:
        """Not asked for here."""


@pytest.mark.parametrize("role", [DataFlowRole.FETCHER, DataFlowRole.SENDER])
async def test_the_consumer_of_a_pull_renews_its_own_place_by_itself(role: DataFlowRole) -> None:
    rig, preparer = Rig(), Preparer()
    await rig.store.add(rig.flow)
    rig.control_plane.fresh = DataAddress("AzureStorage", {**PLACE, "secret": "of-the-counterparty"})
    kept = RenewedSecrets(InMemoryVault(rig.secrets), rig.store)
    renewal = OwnDestinationRenewal(lambda _type: preparer, kept, ControlPlaneRenewal(rig.control_plane, kept))
    await renewal.renewed(replace(rig.flow, role=role))
    own = role is DataFlowRole.FETCHER
    assert rig.secrets == {ALIAS: "signature-1" if own else "of-the-counterparty"}
    assert preparer.calls == ([("flow-1", DataAddress("AzureStorage", PLACE))] if own else [])
