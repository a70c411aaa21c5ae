"""Messages of Data Plane Signaling are written strictly and read leniently."""

import json

import pytest
from pydantic import ValidationError

from connector_spi.signaling import (
    DataFlowProgress,
    DataFlowStartMessage,
    DataFlowState,
    DataFlowStatusMessage,
    DataFlowStatusResponseMessage,
)

START = {
    "participantId": "us",
    "counterPartyId": "them",
    "dataspaceContext": "context",
    "processId": "t-1",
    "agreementId": "a-1",
    "datasetId": "asset-1",
}


@pytest.mark.parametrize("member", ["profile", "transferType"])
def test_the_older_spelling_of_the_profile_is_understood(member: str) -> None:
    message = DataFlowStartMessage.model_validate({**START, member: "AzureStorage-PUSH", "unknown": {"x": 1}})
    assert message.profile == "AzureStorage-PUSH"


def test_no_null_is_written_and_every_message_has_an_id_of_its_own() -> None:
    one, two = (DataFlowStartMessage.model_validate({**START, "profile": "P"}).wire() for _ in range(2))
    assert one["profile"] == "P"
    assert one.pop("messageId") != two.pop("messageId")
    assert None not in json.loads(json.dumps(one)).values()


@pytest.mark.parametrize("changes", [{"processId": ""}, {"processId": "x" * 257}, {"processId": None}, {"profile": 5}])
def test_a_start_that_names_no_process_or_profile_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DataFlowStartMessage.model_validate({**START, "profile": "P", **changes})


def test_an_answer_without_members_is_an_answer() -> None:
    assert DataFlowStatusMessage.model_validate({}).state is None
    assert DataFlowStatusMessage.model_validate({"state": "STARTED"}).state is DataFlowState.STARTED
    with pytest.raises(ValidationError):
        DataFlowStatusResponseMessage.model_validate({})


@pytest.mark.parametrize(
    "changes",
    [{"bytesCopied": -1}, {"bytesPerSecond": float("inf")}, {"etaSeconds": float("nan")}, {"bytesTotal": "x"}],
)
def test_progress_that_no_json_can_tell_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DataFlowProgress.model_validate(changes)
