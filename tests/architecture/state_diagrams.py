"""Draws docs/states.md from the state machines, so that the picture cannot lie: `make docs`."""

from collections import defaultdict
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from connector_spi.signaling import DataFlowState
from control_plane.domain import transfer_state_machine
from control_plane.domain.contract_negotiation import NEGOTIATION_MACHINES, NegotiationState, NegotiationType
from control_plane.domain.transfer_process import ResourcePhase, TransferProcessState, TransferProcessType
from data_plane.domain import data_flow_state_machine
from tests.architecture.source_tree import ROOT

Moves = Mapping[tuple[Any, Any], Enum]
"""(state, event) -> next state."""

PAGE: Final = ROOT / "docs" / "states.md"

_INTRODUCTION: Final = """\
# State diagrams

Drawn from the tables of moves by `make docs`; a test fails when this page is out of date. A move that is not in a
diagram is refused. Moves onto the same state, by which a repeated message does no harm, are drawn as loops.
"""


def page() -> str:
    """The whole page."""
    transfers, negotiations = transfer_state_machine.MACHINES, NEGOTIATION_MACHINES
    diagrams: list[tuple[str, tuple[Enum, ...], Moves]] = [
        ("Transfer, consumer side", (TransferProcessState.INITIAL,), transfers[TransferProcessType.CONSUMER].moves),
        ("Transfer, provider side", (TransferProcessState.INITIAL,), transfers[TransferProcessType.PROVIDER].moves),
        ("What a transfer holds", (ResourcePhase.NONE,), transfer_state_machine.RESOURCES.moves),
        (
            "Negotiation, consumer side",
            (NegotiationState.INITIAL, NegotiationState.OFFERED),
            negotiations[NegotiationType.CONSUMER].moves,
        ),
        (
            "Negotiation, provider side",
            (NegotiationState.REQUESTED, NegotiationState.INITIAL),
            negotiations[NegotiationType.PROVIDER].moves,
        ),
        ("Data flow", (DataFlowState.INITIALIZED,), data_flow_state_machine.MOVES),
    ]
    return _INTRODUCTION + "".join(
        f"\n## {title}\n\n```mermaid\n{diagram(initials, moves)}\n```\n" for title, initials, moves in diagrams
    )


def diagram(initials: tuple[Enum, ...], moves: Moves) -> str:
    """One table of moves in Mermaid's words; events that make the same move share an arrow.

    `initials`: the states in which a process begins, by its own side's wish or by the counterparty's.
    """
    arrows: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for (source, event), target in moves.items():
        arrows[source.name, target.name].append(event.name)
    final = {target.name for target in moves.values()} - {source for source, target in arrows if source != target}
    return "\n".join(
        [
            "stateDiagram-v2",
            *(f"    [*] --> {initial.name}" for initial in initials),
            *(f"    {a} --> {b}: {' or '.join(events)}" for (a, b), events in arrows.items()),
            *(f"    {state} --> [*]" for state in sorted(final)),
        ]
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
