"""What a counterparty may see: states of the Dataspace Protocol 2025-1, and the moves between them."""

from collections.abc import Mapping
from typing import Final

NEGOTIATION_MOVES: Final[Mapping[str, frozenset[str]]] = {
    "": frozenset({"REQUESTED", "OFFERED"}),
    "REQUESTED": frozenset({"OFFERED", "AGREED", "TERMINATED"}),
    "OFFERED": frozenset({"REQUESTED", "ACCEPTED", "TERMINATED"}),
    "ACCEPTED": frozenset({"AGREED", "TERMINATED"}),
    "AGREED": frozenset({"VERIFIED", "TERMINATED"}),
    "VERIFIED": frozenset({"FINALIZED", "TERMINATED"}),
    "FINALIZED": frozenset(),
    "TERMINATED": frozenset(),
}
"""Termination is accepted from either side in every open state, as EDC does."""

TRANSFER_MOVES: Final[Mapping[str, frozenset[str]]] = {
    "": frozenset({"REQUESTED"}),
    "REQUESTED": frozenset({"STARTED", "TERMINATED"}),
    "STARTED": frozenset({"SUSPENDED", "COMPLETED", "TERMINATED"}),
    # What is there is there: a pause that comes too late for the data plane ends in completion (decision 0010).
    "SUSPENDED": frozenset({"STARTED", "COMPLETED", "TERMINATED"}),
    "COMPLETED": frozenset(),
    "TERMINATED": frozenset(),
}


def can_lead(moves: Mapping[str, frozenset[str]], before: str, after: str, *, at_most: int) -> bool:
    """Whether one to `at_most` moves lead from one state to the other; staying is no move."""
    reached = {before}
    for _ in range(at_most):
        if after in reached:
            return True
        reached |= {state for known in reached for state in moves[known]}
    return after in reached
