"""Suspension and resumption by either side.

With counterparties that answer a resumption with a start of their own, as EDC does, and with such that go by the letter
of the specification.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connector_spi.errors import NotFoundError
from tests.integration.control_plane.scripted_data_plane import address
from tests.integration.control_plane.transfer_stage import (
    CONSUMER,
    PROVIDER,
    PUSH,
    SERVED,
    TransferStage,
    transfer_stage,
)

FRESH = address("https://w3id.org/idsa/v4.1/HTTP", "https://data.example/public", authorization="token-2")
KIT = {"@type": "DataAddress", "endpoint": "http://example.com", "endpointType": "https://w3id.org/idsa/v4.1/HTTP"}
"""What the public conformance kit sends with its start."""


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[TransferStage]:
    async with transfer_stage(tmp_path) as opened:
        yield opened


async def token(stage: TransferStage) -> str:
    return (await stage.plane.endpoint_data_references.data_address(stage.pid)).get("authorization")


def tokens_in(body: dict[str, Any]) -> set[str]:
    named = body["dataAddress"]["endpointProperties"]
    return {p["value"] for p in named if p["name"].endswith("authorization")}


async def test_a_provider_that_sends_a_start_of_its_own_is_waited_for_and_brings_a_fresh_address(
    stage: TransferStage,
) -> None:
    await stage.reach(CONSUMER, "STARTED")
    assert await token(stage) == "token-1"
    await stage.plane.transfers.suspend(stage.pid, "a pause")
    await stage.internally("SUSPENDED")
    with pytest.raises(NotFoundError):
        await token(stage)
    await stage.plane.transfers.resume(stage.pid)
    await stage.internally("RESUMED")
    assert await stage.shown() == "SUSPENDED"
    assert (await stage.say("start", dataAddress=FRESH)).status_code == 200
    await stage.internally("STARTED")
    assert await token(stage) == "token-2"
    assert stage.peer.messages()[1:] == ["suspension", "start"]


async def test_a_provider_that_only_acknowledges_is_believed_once_it_shows_the_start(stage: TransferStage) -> None:
    await stage.reach(CONSUMER, "SUSPENDED")
    await stage.plane.transfers.resume(stage.pid)
    stage.peer.shows = "SUSPENDED"
    await stage.internally("RESUMED")
    stage.peer.shows = "STARTED"
    await stage.internally("STARTED")
    assert await token(stage) == "token-1", "it named no other address, so it means the old one"


async def test_a_provider_that_ends_the_transfer_instead_is_heard(stage: TransferStage) -> None:
    await stage.reach(CONSUMER, "SUSPENDED")
    await stage.plane.transfers.resume(stage.pid)
    stage.peer.shows = "TERMINATED"
    await stage.internally("TERMINATED")
    assert (await stage.plane.transfers.get(stage.pid)).error is not None


async def test_a_resumption_by_the_provider_brings_a_fresh_address(stage: TransferStage) -> None:
    await stage.reach(CONSUMER, "SUSPENDED")
    with pytest.raises(NotFoundError):
        await token(stage)
    assert (await stage.say("start", dataAddress=FRESH)).status_code == 200
    assert await stage.shown() == "STARTED"
    await stage.internally("STARTED")
    assert await token(stage) == "token-2"


async def test_a_start_that_is_refused_or_says_nothing_new_replaces_no_address(stage: TransferStage) -> None:
    await stage.begin(CONSUMER)
    first = {"@id": "urn:uuid:first", "dataAddress": SERVED}
    assert (await stage.say("start", **first)).status_code == 200
    await stage.internally("STARTED")
    assert (await stage.say("start", dataAddress=FRESH)).status_code == 200
    assert await token(stage) == "token-1"
    assert (await stage.say("suspension")).status_code == 200
    await stage.internally("SUSPENDED")
    assert (await stage.say("start", dataAddress=FRESH)).status_code == 200
    await stage.internally("STARTED")
    assert (await stage.say("start", **first)).status_code == 200
    assert await token(stage) == "token-2"
    assert (await stage.say("termination")).status_code == 200
    assert (await stage.say("start", dataAddress=SERVED)).status_code == 400
    await stage.internally("TERMINATED")


async def test_a_data_address_without_properties_is_one(stage: TransferStage) -> None:
    await stage.begin(CONSUMER)
    assert (await stage.say("start", dataAddress=KIT)).status_code == 200
    await stage.internally("STARTED")
    served_at = await stage.plane.endpoint_data_references.data_address(stage.pid)
    assert (served_at.type, served_at.get("endpoint")) == (KIT["endpointType"], "http://example.com")


async def test_a_consumer_that_resumes_gets_a_start_of_ours_with_a_fresh_address(stage: TransferStage) -> None:
    await stage.reach(PROVIDER, "SUSPENDED")
    assert stage.data_plane.signals() == ["start", "suspend"], "the token is worthless from here on"
    stage.data_plane.answers["resume"] = (200, {"state": "STARTED", "dataAddress": FRESH})
    stage.peer.told.clear()
    assert (await stage.say("start")).status_code == 200
    await stage.internally("STARTED")
    assert stage.peer.messages() == ["start"]
    assert tokens_in(stage.peer.newest("start")) == {"token-2"}


@pytest.mark.parametrize("shows", ["STARTED", ""], ids=["shows the start", "shows nothing"])
@pytest.mark.parametrize("transfer_type", [PUSH, "HttpData-PULL"])
async def test_a_consumer_that_started_with_our_answer_may_refuse_our_start(
    stage: TransferStage, shows: str, transfer_type: str
) -> None:
    """The kit's test TP:02-04, which is disabled for this ambiguity: suspension, start, completion by the consumer."""
    await stage.reach(PROVIDER, "SUSPENDED", transfer_type)
    stage.peer.answers["start"] = 400
    stage.peer.shows = shows
    assert (await stage.say("start")).status_code == 200
    await stage.shows("STARTED")
    assert (await stage.say("completion")).status_code == 200
    assert await stage.shown() == "COMPLETED"
    await stage.internally("COMPLETED")


async def test_a_consumer_that_ended_the_transfer_while_we_resumed_is_followed(stage: TransferStage) -> None:
    await stage.reach(PROVIDER, "SUSPENDED")
    stage.peer.answers["start"] = 400
    stage.peer.shows = "TERMINATED"
    await stage.plane.transfers.resume(stage.pid)
    await stage.internally("TERMINATED")
    assert "termination" not in stage.peer.messages()
