"""DataFlowStore: the flows of this data plane, their leases, and the answers that were given."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from data_plane.domain.data_flow import Counters, DataFlow


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a flow. The epoch grows with every lease, so that a late worker cannot save."""

    flow_id: str
    worker_id: str
    epoch: int


@dataclass(frozen=True, slots=True)
class LeasedFlow:
    """A flow and the lease under which it may be worked on."""

    flow: DataFlow
    lease: Lease


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered to a message, so that the same message again gets the same answer."""

    message_id: str
    operation: str
    """Which message it was, and to which flow: `start`, `suspend:<id>`, ..."""
    body: dict[str, Any]
    """JSON. Never holds a secret."""


class DataFlowStore(Protocol):
    """Durable flows, and leases by the database's clock.

    Every method raises StoreUnavailableError when the database does not answer; nothing is then written.
    """

    async def add(self, flow: DataFlow, answer: Answer | None = None) -> DataFlow:
        """Store a new flow and the answer to its message, both or neither.

        Raises:
            DataFlowExistsError: a flow of this id exists.
        """
        ...

    async def find(self, flow_id: str) -> DataFlow | None:
        """The flow, or None."""
        ...

    async def save(self, flow: DataFlow, *, answer: Answer | None = None, lease: Lease | None = None) -> DataFlow:
        """Store the changed flow (all but its counters) with the answer, both or neither; returns the new version.

        Raises:
            StaleDataFlowError: it was changed by somebody else since it was read.
            LeaseLostError: `lease` is given and is not the newest one.
        """
        ...

    async def find_answer(self, message_id: str, operation: str) -> Answer | None:
        """The answer given to this message, or None."""
        ...

    async def lease_due(self, worker_id: str, *, limit: int, seconds: float) -> Sequence[LeasedFlow]:
        """Lease up to `limit` flows that are to be copied (sender, STARTED) and that nobody holds."""
        ...

    async def renew(self, lease: Lease, counters: Counters, *, seconds: float) -> DataFlow:
        """Prolong the lease and store the counters; returns the flow as it is now.

        Raises:
            LeaseLostError: another worker holds the flow.
        """
        ...

    async def release(self, lease: Lease) -> None:
        """Give the lease back, so that another worker need not wait; does nothing when it is lost."""
        ...

    async def with_owed_work(self, *, at: datetime, limit: int) -> Sequence[DataFlow]:
        """Flows whose owed work is due, longest due first."""
        ...

    async def forget_answers(self, *, ended_before: datetime) -> None:
        """Delete the answers of flows that had their outcome before this moment."""
        ...

    async def ping(self) -> None:
        """Return when the database answers."""
        ...
