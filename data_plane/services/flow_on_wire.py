"""What a flow looks like in the messages of Data Plane Signaling."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from connector_spi.data_address import DataAddressMessage
from connector_spi.signaling import DataFlowError, DataFlowState, DataFlowStatusMessage
from data_plane.domain.data_flow import DataFlow
from data_plane.services.progress_meter import progress_of

_MESSAGE_LENGTH: Final = 4000
"""Characters of a failure's message; the wire's limit, less room for the code before it."""
_REMEDY_LENGTH: Final = 2048
"""Characters; the wire's limit."""


def outcome_message(flow: DataFlow, kind: str) -> DataFlowStatusMessage:
    """The body of the call-back `kind`, of a flow that has its outcome; told again, it is the same message."""
    failure = failure_on_wire(flow)
    return DataFlowStatusMessage(
        message_id=_message_id(flow, kind),
        data_flow_id=flow.id,
        state=flow.state,
        error=None if failure is None else f"{failure.code}: {failure.message}",
        progress=progress_of(flow.counters),
        failure=failure,
    )


def readiness_message(flow: DataFlow, kind: str, address: Mapping[str, Any] | None) -> DataFlowStatusMessage:
    """The body of the call-backs `prepared` and `started`, with the address that the other side gets, if any."""
    return DataFlowStatusMessage(
        message_id=_message_id(flow, kind),
        data_flow_id=flow.id,
        state=flow.state,
        data_address=None if address is None else DataAddressMessage.model_validate(address),
    )


def parked_message(flow: DataFlow) -> DataFlowStatusMessage:
    """The body of the call-back `suspended`; told again, it is the same message, and another one when parked anew."""
    return DataFlowStatusMessage(
        message_id=_message_id(flow, f"suspended:{flow.started_at}"),
        data_flow_id=flow.id,
        state=flow.state,
        reason=reason_on_wire(flow),
        progress=progress_of(flow.counters),
    )


def reason_on_wire(flow: DataFlow) -> str | None:
    """Why the flow is suspended or was terminated, for the wire; None while it is neither."""
    stopped = flow.state in {DataFlowState.SUSPENDED, DataFlowState.TERMINATED}
    return flow.reason[:_MESSAGE_LENGTH] or None if stopped else None


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
        remedy=failure.remedy[:_REMEDY_LENGTH] or None,
    )


def _message_id(flow: DataFlow, kind: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"data-flow:{flow.id}:{kind}"))
