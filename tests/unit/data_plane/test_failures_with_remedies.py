"""A failure carries the remedy to its own control plane, unless its message tells it already."""

from dataclasses import replace

from azure_storage.errors import BlobNotFoundError, Refusal
from connector_spi.errors import SecretNotFoundError
from connector_spi.signaling import DataFlowState
from data_plane.domain.errors import FlowFailedError
from data_plane.services.flow_on_wire import outcome_message
from tests.unit.data_plane.fakes import a_data_flow


def test_the_remedy_travels_beside_the_message() -> None:
    failure = FlowFailedError.of(SecretNotFoundError(alias="key")).failure
    assert failure.remedy == SecretNotFoundError.remedy
    assert failure.remedy not in failure.message
    told = outcome_message(replace(a_data_flow("f", state=DataFlowState.TERMINATED), failure=failure), "errored")
    assert told.failure is not None
    assert told.failure.remedy == SecretNotFoundError.remedy


def test_a_remedy_that_the_message_tells_is_not_repeated() -> None:
    error = BlobNotFoundError(Refusal("Get Blob", "account/container/blob", 404))
    assert BlobNotFoundError.remedy in error.message
    assert FlowFailedError.of(error).failure.remedy == ""
