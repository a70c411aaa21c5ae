"""What a flow that has its outcome looks like in the messages of Data Plane Signaling."""

from typing import Final
from uuid import NAMESPACE_URL, uuid5

from connector_spi.signaling import DataFlowError, DataFlowStatusMessage
from data_plane.domain.data_flow import DataFlow
from data_plane.services.progress_meter import progress_of

_MESSAGE_LENGTH: Final = 4000
"""Characters of a failure's message; the wire's limit, less room for the code before it."""


def outcome_message(flow: DataFlow, kind: str) -> DataFlowStatusMessage:
    """The body of the call-back `kind`; told again, it is the same message."""
    failure = failure_on_wire(flow)
    return DataFlowStatusMessage(
        message_id=str(uuid5(NAMESPACE_URL, f"data-flow:{flow.id}:{kind}")),
        data_flow_id=flow.id,
        state=flow.state,
        error=None if failure is None else f"{failure.code}: {failure.message}",
        progress=progress_of(flow.counters),
        failure=failure,
    )


def failure_on_wire(flow: DataFlow) -> DataFlowError | None:
    """Why the flow failed, for the wire; None when it did not."""
    failure = flow.failure
    if failure is None:
        return None
    return DataFlowError(
        code=failure.code,
        message=failure.message[:_MESSAGE_LENGTH],
        object_name=failure.object_name,
        retryable=failure.retryable,
    )
