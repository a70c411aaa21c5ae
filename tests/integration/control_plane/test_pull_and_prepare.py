"""Pulls, and pushes that a data plane prepares, between two control planes over HTTP, with scripted data planes."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from connector_spi.errors import NotFoundError
from control_plane.bootstrap import ControlPlane
from control_plane.domain.contract_negotiation import NegotiationState
from control_plane.domain.query import QuerySpec
from control_plane.domain.transfer_process import ResourcePhase, TransferProcess, TransferProcessState
from control_plane.dsp_messages import PROTOCOL
from control_plane.services.transfer_process_service import TransferRequest
from control_plane.settings import DataPlaneEndpointSettings
from tests.eventually import eventually
from tests.integration.control_plane.participants import (
    CONSUMER,
    PROVIDER,
    Participant,
    negotiate,
    offer,
    offered,
    reached,
)
from tests.integration.control_plane.scripted_data_plane import ScriptedDataPlane, address

S = TransferProcessState
PULL, PUSH = "HttpData-PULL", "AzureStorage-PUSH"
SERVED = address("https://w3id.org/idsa/v4.1/HTTP", "https://data.example/public", authorization="PLANTED-token")
SERVED_AGAIN = address("https://w3id.org/idsa/v4.1/HTTP", "https://data.example/public", authorization="PLANTED-newer")
SAS = '{"sas": "sv=2026-01-01&sr=c&sp=cw&sig=PLANTEDsignature%3D"}'
TOKEN = "signaling-token"


def of_settings(plane: ScriptedDataPlane, **changes: Any) -> DataPlaneEndpointSettings:
    facts: dict[str, Any] = {"id": "plane", "url": plane.url, "transfer_types": (PULL, PUSH), "shares_vault": False}
    return DataPlaneEndpointSettings(**{**facts, **changes})


@dataclass
class Pair:
    """Both sides at work, with an agreement between them."""

    consumer: ControlPlane
    provider: ControlPlane
    consumer_plane: ScriptedDataPlane
    provider_plane: ScriptedDataPlane
    participants: dict[str, Participant]
    agreement_id: str

    async def transfer(self, transfer_type: str) -> TransferProcess:
        """Begin one; the provider's process is `theirs`."""
        request = TransferRequest(
            id="t-1",
            contract_id=self.agreement_id,
            counter_party_address=self.participants[PROVIDER].address,
            protocol=PROTOCOL,
            transfer_type=transfer_type,
        )
        return await self.consumer.transfers.initiate(request)

    async def ours(self, state: S) -> TransferProcess:
        """The consumer's process, once it is in this state."""
        return await self._in_state(self.consumer, "t-1", state)

    async def theirs(self, state: S) -> TransferProcess:
        """The provider's process, once it is in this state."""
        ours = await self.consumer.transfers.get("t-1")
        assert ours.correlation_id is not None
        return await self._in_state(self.provider, ours.correlation_id, state)

    async def report(self, side: str, name: str, **members: Any) -> int:
        """A call-back of one side's data plane about its flow."""
        ours = await self.consumer.transfers.get("t-1")
        plane = self.consumer_plane if side == CONSUMER else self.provider_plane
        process_id = "t-1" if side == CONSUMER else ours.correlation_id or ""
        url = self.participants[side].signaling_url
        return await plane.call_back(url, process_id, name, f"token-of-{side}", **members)

    async def no_secret_is_left(self) -> None:
        """In either vault, beside what was there before."""

        async def is_clean() -> bool:
            return not any(
                "PLANTED" in value
                for participant in self.participants.values()
                for value in participant.secrets.values()
            )

        await eventually(is_clean, seconds=20)

    async def _in_state(self, plane: ControlPlane, process_id: str, state: S) -> TransferProcess:
        async def is_there() -> bool:
            return (await plane.transfers.get(process_id)).state is state

        await eventually(is_there, seconds=20)
        return await plane.transfers.get(process_id)


@pytest.fixture
async def pair(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    prepares: bool = getattr(request, "param", True)
    async with AsyncExitStack() as stack:
        planes = [await stack.enter_async_context(ScriptedDataPlane().open()) for _ in range(2)]
        ours = (of_settings(planes[0], provision_with="data-plane"),) if prepares else ()
        participants = {
            CONSUMER: Participant(CONSUMER, tmp_path, {PROVIDER: PROVIDER}, data_planes=ours),
            PROVIDER: Participant(PROVIDER, tmp_path, {CONSUMER: CONSUMER}, data_planes=(of_settings(planes[1]),)),
        }
        for participant in participants.values():
            participant.secrets[TOKEN] = f"token-of-{participant.id}"
        consumer, provider = [await stack.enter_async_context(p.running()) for p in participants.values()]
        planes[0].answers = {"prepare": (200, {"state": "PREPARED"}), "resume": (200, {"state": "STARTED"})}
        planes[1].answers = {
            "start": (200, {"state": "STARTED", "dataAddress": SERVED}),
            "resume": (200, {"state": "STARTED", "dataAddress": SERVED_AGAIN}),
        }
        await offer(provider)
        dataset = await offered(consumer, participants[PROVIDER].address)
        await negotiate(consumer, participants[PROVIDER].address, offer_id=dataset["hasPolicy"][0]["@id"])
        agreement = (await reached(consumer, NegotiationState.FINALIZED)).agreement
        assert agreement is not None
        yield Pair(consumer, provider, planes[0], planes[1], participants, agreement.id)


def token_in(body: dict[str, Any]) -> set[str]:
    """The tokens in a message's data address."""
    properties = body["dataAddress"]["endpointProperties"]
    return {p["value"] for p in properties if p["name"].endswith("authorization")}


async def test_a_pull_goes_from_request_to_completion_and_both_data_planes_hear_of_it(pair: Pair) -> None:
    await pair.transfer(PULL)
    ours = await pair.ours(S.STARTED)
    await pair.theirs(S.STARTED)
    assert pair.provider_plane.signals() == ["start"]
    assert "dataAddress" not in pair.provider_plane.body("start")
    assert pair.consumer_plane.signals() == ["prepare", "started"]
    assert token_in(pair.consumer_plane.body("started")) == {"PLANTED-token"}
    assert "PLANTED" not in repr(ours)
    edr = await pair.consumer.endpoint_data_references.data_address("t-1")
    assert (edr.get("endpoint"), edr.get("authorization")) == ("https://data.example/public", "PLANTED-token")
    assert [p.id for p in await pair.consumer.endpoint_data_references.query(QuerySpec())] == ["t-1"]

    assert await pair.report(CONSUMER, "completed") == 200
    await pair.ours(S.COMPLETED)
    await pair.theirs(S.COMPLETED)
    assert pair.provider_plane.signals() == ["start", "completed"]
    assert pair.consumer_plane.signals() == ["prepare", "started"], "it knows already"
    await pair.no_secret_is_left()
    with pytest.raises(NotFoundError):
        await pair.consumer.endpoint_data_references.data_address("t-1")


async def test_the_provider_may_complete_a_pull_as_well(pair: Pair) -> None:
    await pair.transfer(PULL)
    await pair.ours(S.STARTED)
    assert await pair.report(PROVIDER, "completed") == 200
    await pair.ours(S.COMPLETED)
    assert pair.consumer_plane.signals() == ["prepare", "started", "completed"]
    await pair.no_secret_is_left()


@pytest.mark.parametrize("by", [CONSUMER, PROVIDER])
async def test_a_pull_is_paused_and_goes_on_with_a_fresh_address(pair: Pair, by: str) -> None:
    await pair.transfer(PULL)
    await pair.ours(S.STARTED)
    theirs = await pair.theirs(S.STARTED)
    plane, process_id = (pair.consumer, "t-1") if by == CONSUMER else (pair.provider, theirs.id)
    await plane.transfers.suspend(process_id, "later")
    await pair.ours(S.SUSPENDED)
    await pair.theirs(S.SUSPENDED)
    with pytest.raises(NotFoundError):
        await pair.consumer.endpoint_data_references.data_address("t-1")
    await plane.transfers.resume(process_id)
    await pair.ours(S.STARTED)
    await pair.theirs(S.STARTED)
    assert pair.consumer_plane.signals() == ["prepare", "started", "suspend", "resume"]
    assert pair.provider_plane.signals() == ["start", "suspend", "resume"]
    assert token_in(pair.consumer_plane.body("resume")) == {"PLANTED-newer"}
    edr = await pair.consumer.endpoint_data_references.data_address("t-1")
    assert edr.get("authorization") == "PLANTED-newer"


@pytest.mark.parametrize("by", [CONSUMER, PROVIDER])
async def test_the_end_of_a_pull_reaches_both_data_planes(pair: Pair, by: str) -> None:
    await pair.transfer(PULL)
    await pair.ours(S.STARTED)
    theirs = await pair.theirs(S.STARTED)
    plane, process_id = (pair.consumer, "t-1") if by == CONSUMER else (pair.provider, theirs.id)
    await plane.transfers.terminate(process_id, "enough")
    assert (await pair.ours(S.TERMINATED)).error is not None
    await pair.theirs(S.TERMINATED)
    assert pair.consumer_plane.signals()[-1] == "terminate"
    assert pair.provider_plane.signals()[-1] == "terminate"
    await pair.no_secret_is_left()


@pytest.mark.parametrize("pair", [False], indirect=True)
async def test_a_pull_needs_no_data_plane_of_the_consumer(pair: Pair) -> None:
    await pair.transfer(PULL)
    await pair.ours(S.STARTED)
    edr = await pair.consumer.endpoint_data_references.data_address("t-1")
    assert edr.get("authorization") == "PLANTED-token"
    await pair.consumer.endpoint_data_references.delete("t-1")
    with pytest.raises(NotFoundError):
        await pair.consumer.endpoint_data_references.data_address("t-1")
    await pair.report(PROVIDER, "completed")
    await pair.ours(S.COMPLETED)
    assert pair.consumer_plane.signals() == []
    await pair.no_secret_is_left()


async def test_a_data_plane_may_start_a_pull_later(pair: Pair) -> None:
    pair.provider_plane.answers["start"] = (202, {"dataFlowId": "flow-1", "state": "STARTING"})
    await pair.transfer(PULL)
    await pair.ours(S.REQUESTED)
    await pair.theirs(S.STARTUP_REQUESTED)
    for _ in range(2):
        assert await pair.report(PROVIDER, "started", state="STARTED", dataAddress=SERVED) == 200
    await pair.ours(S.STARTED)
    assert token_in(pair.consumer_plane.body("started")) == {"PLANTED-token"}


@pytest.mark.parametrize("later", [False, True])
async def test_a_push_that_the_data_plane_prepares_is_made_ready_there_and_nowhere_else(
    pair: Pair, later: bool
) -> None:
    prepared = address("AzureStorage", "", account="consumerorg", container="made-by-the-plane", secret=SAS)
    prepared.pop("endpoint")
    pair.consumer_plane.answers["prepare"] = (
        (202, {"state": "PREPARING"}) if later else (200, {"state": "PREPARED", "dataAddress": prepared})
    )
    pair.provider_plane.answers["start"] = (200, {"state": "STARTED"})
    await pair.transfer(PUSH)
    if later:
        await pair.ours(S.PREPARATION_REQUESTED)
        assert await pair.report(CONSUMER, "prepared", state="PREPARED", dataAddress=prepared) == 200
    ours = await pair.ours(S.STARTED)
    assert ours.data_destination.get("container") == "made-by-the-plane"
    assert (ours.provisioned, ours.resources) == (None, ResourcePhase.HELD)
    assert pair.consumer_plane.signals() == ["prepare", "started"]
    assert "dataAddress" not in pair.consumer_plane.body("started")
    sent = pair.provider_plane.body("start")["dataAddress"]["endpointProperties"]
    assert {p["value"] for p in sent if p["name"].endswith("secret")} == {SAS}
    await pair.report(PROVIDER, "completed")
    await pair.ours(S.COMPLETED)
    assert pair.consumer_plane.signals()[-1] == "completed"
    await pair.no_secret_is_left()


async def test_a_data_plane_that_does_not_find_the_data_ends_the_transfer_with_its_reason(pair: Pair) -> None:
    pair.consumer_plane.answers["completed"] = (409, {"message": "two objects are missing"})
    await pair.transfer(PULL)
    await pair.ours(S.STARTED)
    await pair.report(PROVIDER, "completed")
    error = (await pair.ours(S.TERMINATED)).error
    assert error is not None
    assert "two objects are missing" in error.message
    await pair.no_secret_is_left()


async def test_a_preparation_that_fails_is_never_told_to_the_provider(pair: Pair) -> None:
    pair.consumer_plane.answers["prepare"] = (400, {"message": "no such account"})
    await pair.transfer(PUSH)
    ended = await pair.ours(S.TERMINATED)
    assert ended.error is not None
    assert "no such account" in ended.error.message
    assert ended.correlation_id is None
    assert pair.provider_plane.signals() == []
