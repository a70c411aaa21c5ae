"""PendingGuard: holds a process where somebody has to decide before this side goes on."""

from typing import Protocol, TypeVar

Entity_contra = TypeVar("Entity_contra", contravariant=True)


class PendingGuard(Protocol[Entity_contra]):
    """Asked before each step that this side would take by its own decision.

    Messages on their way are not decisions: what has begun to be sent is sent. Where the guard holds, the process
    waits for a command (of the management API), for the counterparty, or for the deadline of its state.
    """

    def holds(self, entity: Entity_contra, /) -> bool:
        """Whether somebody has to decide. Pure and quick: it is asked again at each look at the process."""
        ...
