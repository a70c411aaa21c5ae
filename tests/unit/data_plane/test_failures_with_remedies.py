"""A failure carries the remedy to its own control plane, unless its message tells it already."""

from dataclasses import replace

from azure_storage.errors import BlobNotFoundError, Refusal
from connector_spi.errors import SecretNotFoundError, VaultForbiddenError, VaultUnavailableError
from connector_spi.signaling import DataFlowState
from data_plane.domain.errors import FlowFailedError, NoProgressError, SourceEmptyError
from data_plane.services.flow_on_wire import outcome_message
from tests.unit.data_plane.fakes import a_data_flow


def test_the_remedy_travels_beside_the_message() -> None:
    failure = FlowFailedError.of(SourceEmptyError("Nothing is there.")).failure
    assert failure.remedy == SourceEmptyError.remedy
    assert failure.remedy not in failure.message
    told = outcome_message(replace(a_data_flow("f", state=DataFlowState.TERMINATED), failure=failure), "errored")
    assert told.failure is not None
    assert told.failure.remedy == SourceEmptyError.remedy


def test_what_names_our_inside_is_told_to_our_own_operator_alone() -> None:
    error = SecretNotFoundError(alias="planted-alias")
    failure = FlowFailedError.of(error).failure
    assert (failure.code, failure.message) == ("SecretNotFound", SecretNotFoundError.outward)
    assert failure.remedy == f"{error.message} {error.remedy}"


def test_the_last_error_of_a_flow_that_stands_still_is_told_in_its_outward_form() -> None:
    trouble = VaultUnavailableError("https://planted-host does not answer")
    failure = FlowFailedError.of(NoProgressError(seconds=60, last_error=trouble)).failure
    assert VaultUnavailableError.outward in failure.message
    assert "planted" not in failure.message
    assert "planted-host" in failure.remedy


def test_a_remedy_that_is_too_long_for_the_wire_is_cut() -> None:
    failure = FlowFailedError.of(VaultForbiddenError("x" * 5000)).failure
    told = outcome_message(replace(a_data_flow("f", state=DataFlowState.TERMINATED), failure=failure), "errored")
    assert told.failure is not None
    assert len(told.failure.remedy or "") == 2048


def test_a_remedy_that_the_message_tells_is_not_repeated() -> None:
    error = BlobNotFoundError(Refusal("Get Blob", "account/container/blob", 404))
    assert BlobNotFoundError.remedy in error.message
    assert FlowFailedError.of(error).failure.remedy == ""
