"""Policies between two control planes over HTTP: what is offered, what may begin, and what ends in mid-transfer."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connector_spi.clock import SystemClock
from control_plane.bootstrap import ControlPlane
from control_plane.domain.contract_negotiation import NegotiationState
from control_plane.domain.participant import Counterparty
from control_plane.domain.policy import Policy
from control_plane.domain.query import QuerySpec
from control_plane.domain.transfer_process import TransferError, TransferProcess, TransferProcessState
from control_plane.dsp_messages import PROTOCOL
from control_plane.services.transfer_process_service import TransferRequest
from control_plane.settings import DataPlaneEndpointSettings
from tests.eventually import eventually
from tests.integration.control_plane.participants import (
    CONSUMER,
    PROVIDER,
    TIMING,
    Participant,
    negotiate,
    offer,
    offered,
    reached,
)
from tests.integration.control_plane.scripted_data_plane import ScriptedDataPlane, address
from tests.unit.control_plane.policy_rig import constraint, permitting

S = TransferProcessState
PULL = "HttpData-PULL"
SERVED = address("https://w3id.org/idsa/v4.1/HTTP", "https://data.example/public", authorization="token-1")


class ShiftedClock(SystemClock):
    """The real time, and what the test adds."""

    def __init__(self) -> None:
        self.shift = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.shift


@dataclass
class Pair:
    """Both sides at work; they share a clock."""

    consumer: ControlPlane
    provider: ControlPlane
    provider_plane: ScriptedDataPlane
    provider_address: str
    clock: ShiftedClock

    async def agreed(self, policy: Policy) -> str:
        """The id of an agreement under this policy."""
        await offer(self.provider, policy)
        dataset = await offered(self.consumer, self.provider_address)
        [shown] = dataset["hasPolicy"]
        assert shown["permission"] == [dict(rule) for rule in policy.permissions]
        await negotiate(self.consumer, self.provider_address, offer_id=shown["@id"], policy=policy)
        agreement = (await reached(self.consumer, NegotiationState.FINALIZED)).agreement
        assert agreement is not None
        return agreement.id

    async def pull(self, agreement_id: str, name: str = "t-1") -> None:
        """Begin a transfer as the consumer."""
        request = TransferRequest(
            id=name,
            contract_id=agreement_id,
            counter_party_address=self.provider_address,
            protocol=PROTOCOL,
            transfer_type=PULL,
        )
        await self.consumer.transfers.initiate(request)

    async def ours(self, state: S, name: str = "t-1") -> TransferProcess:
        """The consumer's process, once it is in this state."""
        return await _in_state(self.consumer, name, state)

    async def theirs(self, state: S, name: str = "t-1") -> TransferProcess:
        """The provider's process, once it is in this state."""
        ours = await self.consumer.transfers.get(name)
        return await _in_state(self.provider, ours.correlation_id or "", state)


async def _in_state(plane: ControlPlane, process_id: str, state: S) -> TransferProcess:
    async def is_there() -> bool:
        return (await plane.transfers.get(process_id)).state is state

    await eventually(is_there, seconds=20)
    return await plane.transfers.get(process_id)


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    clock = ShiftedClock()
    async with AsyncExitStack() as stack:
        plane = await stack.enter_async_context(ScriptedDataPlane().open())
        plane.answers = {"start": (200, {"state": "STARTED", "dataAddress": SERVED})}
        endpoint = DataPlaneEndpointSettings(id="plane", url=plane.url, transfer_types=(PULL,), shares_vault=False)
        facts: dict[str, Any] = {"timing": TIMING.model_copy(update={"policy_check_seconds": 0.2}), "clock": clock}
        ours = Participant(CONSUMER, tmp_path, {PROVIDER: PROVIDER}, **facts)
        theirs = Participant(PROVIDER, tmp_path, {CONSUMER: CONSUMER}, data_planes=(endpoint,), **facts)
        theirs.secrets["signaling-token"] = "token-of-the-provider"
        consumer, provider = [await stack.enter_async_context(p.running()) for p in (ours, theirs)]
        yield Pair(consumer, provider, plane, theirs.address, clock)


async def test_a_window_that_ends_in_mid_transfer_ends_it_on_both_sides_with_the_reason(pair: Pair) -> None:
    hour = permitting(constraint("inForceDate", "lteq", "contractAgreement+1h"))
    await pair.pull(await pair.agreed(hour))
    await pair.ours(S.STARTED)
    await pair.theirs(S.STARTED)
    pair.clock.shift = timedelta(hours=2)
    reason = "The permission does not apply: inForceDate lteq contractAgreement+1h does not hold."
    denied = TransferError(code="PolicyDenied", message=reason)
    assert (await pair.theirs(S.TERMINATED)).error == denied
    assert (await pair.ours(S.TERMINATED)).error == denied
    assert pair.provider_plane.signals() == ["start", "terminate"]


async def test_a_transfer_under_a_window_that_is_over_does_not_begin(pair: Pair) -> None:
    hour = permitting(constraint("inForceDate", "lteq", "contractAgreement+1h"))
    agreement_id = await pair.agreed(hour)
    pair.clock.shift = timedelta(hours=2)
    await pair.pull(agreement_id)
    error = (await pair.ours(S.TERMINATED)).error
    assert error is not None
    assert "inForceDate lteq contractAgreement+1h does not hold" in error.message
    assert await pair.provider.transfers.query(QuerySpec()) == []
    assert pair.provider_plane.signals() == []


async def test_a_policy_that_counts_admits_so_many_and_lets_them_run(pair: Pair) -> None:
    agreement_id = await pair.agreed(permitting(constraint("count", "lteq", 2)))
    for name in ("t-1", "t-2"):
        await pair.pull(agreement_id, name)
        await pair.ours(S.STARTED, name)
    await pair.pull(agreement_id, "t-3")
    error = (await pair.ours(S.TERMINATED, "t-3")).error
    assert error is not None
    assert "count lteq 2 does not hold" in error.message
    for name in ("t-1", "t-2"):
        await pair.ours(S.STARTED, name)
        await pair.theirs(S.STARTED, name)


@pytest.mark.parametrize(("named", "datasets"), [(CONSUMER, 1), ("did:web:others", 0)])
async def test_who_sees_an_offer_is_decided_by_the_access_policy(pair: Pair, named: str, datasets: int) -> None:
    await offer(pair.provider)
    access = await pair.provider.definitions.get_policy("access")
    only = permitting(constraint("participantId", "eq", named))
    await pair.provider.definitions.replace_policy(replace(access, policy=only))
    catalog = await pair.consumer.catalog.request_catalog(Counterparty(id=PROVIDER, address=pair.provider_address))
    assert len(catalog.body.get("dataset", [])) == datasets
