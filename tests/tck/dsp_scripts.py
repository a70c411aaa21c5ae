"""What the connector under test has to do of its own accord in each test of the Dataspace Protocol's kit.

A script is a sequence of reactions: in this state, give that command, as a client of the management API would. In a
state that no reaction names the connector waits, whatever it would decide by itself: some tests want to see it
waiting. Source: the sequence diagrams in the kit's test classes (dsp-tck 1.0.0-RC6).

The kit's configuration tells one test from another by its dataset, or by its agreement.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from control_plane.bootstrap import ControlPlane
from control_plane.domain.contract_negotiation import NegotiationState
from control_plane.domain.policy import Policy
from control_plane.domain.transfer_process import TransferProcessState

Command = Callable[[ControlPlane, str], Awaitable[None]]
"""Given to a control plane about a negotiation or transfer of this id."""

USE: Final = Policy(permissions=({"action": "use"},))
"""What is asked for, offered and agreed in every test."""
_REASON: Final = "The script of this test wants it."
_N = NegotiationState
_T = TransferProcessState


async def request(plane: ControlPlane, negotiation_id: str) -> None:
    """Answer an offer with a request of one's own."""
    await plane.negotiations.request(negotiation_id, USE)


async def offer(plane: ControlPlane, negotiation_id: str) -> None:
    await plane.negotiations.offer(negotiation_id, USE)


async def accept(plane: ControlPlane, negotiation_id: str) -> None:
    await plane.negotiations.accept(negotiation_id)


async def agree(plane: ControlPlane, negotiation_id: str) -> None:
    await plane.negotiations.agree(negotiation_id)


async def verify(plane: ControlPlane, negotiation_id: str) -> None:
    await plane.negotiations.verify(negotiation_id)


async def finalize(plane: ControlPlane, negotiation_id: str) -> None:
    await plane.negotiations.finalize(negotiation_id)


async def refuse(plane: ControlPlane, negotiation_id: str) -> None:
    """End a negotiation."""
    await plane.negotiations.terminate(negotiation_id, _REASON)


async def start(plane: ControlPlane, process_id: str) -> None:
    await plane.transfers.start(process_id)


async def suspend(plane: ControlPlane, process_id: str) -> None:
    await plane.transfers.suspend(process_id, _REASON)


async def resume(plane: ControlPlane, process_id: str) -> None:
    await plane.transfers.resume(process_id)


async def complete(plane: ControlPlane, process_id: str) -> None:
    await plane.transfers.complete(process_id)


async def terminate(plane: ControlPlane, process_id: str) -> None:
    """End a transfer."""
    await plane.transfers.terminate(process_id, _REASON)


NegotiationScript = tuple[tuple[NegotiationState, Command], ...]
TransferScript = tuple[tuple[TransferProcessState, Command], ...]

NEGOTIATIONS: Final[Mapping[str, NegotiationScript]] = {
    # As the provider.
    "CN:01-01": ((_N.REQUESTED, offer),),
    "CN:01-02": ((_N.REQUESTED, offer), (_N.REQUESTED, refuse)),
    "CN:01-03": ((_N.REQUESTED, offer), (_N.ACCEPTED, agree), (_N.VERIFIED, finalize)),
    "CN:01-04": ((_N.REQUESTED, agree), (_N.VERIFIED, finalize)),
    "CN:02-01": ((_N.REQUESTED, refuse),),
    "CN:02-02": (),
    "CN:02-03": ((_N.REQUESTED, agree),),
    "CN:02-04": ((_N.REQUESTED, offer),),
    "CN:02-05": ((_N.REQUESTED, offer), (_N.OFFERED, refuse)),
    "CN:02-06": ((_N.REQUESTED, offer), (_N.ACCEPTED, refuse)),
    "CN:02-07": ((_N.REQUESTED, agree), (_N.VERIFIED, refuse)),
    "CN:03-01": ((_N.REQUESTED, agree), (_N.VERIFIED, finalize)),
    "CN:03-02": ((_N.REQUESTED, offer),),
    "CN:03-03": ((_N.REQUESTED, offer),),
    "CN:03-04": ((_N.REQUESTED, offer),),
    # As the consumer.
    "CN_C:01-01": ((_N.OFFERED, accept), (_N.AGREED, verify)),
    "CN_C:01-02": ((_N.OFFERED, request),),
    "CN_C:01-03": ((_N.OFFERED, refuse),),
    "CN_C:01-04": ((_N.AGREED, verify),),
    "CN_C:02-01": (),
    "CN_C:02-02": ((_N.REQUESTED, refuse),),
    "CN_C:02-03": ((_N.AGREED, refuse),),
    "CN_C:02-04": (),
    "CN_C:02-05": ((_N.OFFERED, accept),),
    "CN_C:02-06": ((_N.AGREED, verify),),
    "CN_C:03-01": (),
    "CN_C:03-02": (),
    "CN_C:03-03": (),
    "CN_C:03-04": ((_N.OFFERED, accept),),
    "CN_C:03-05": ((_N.OFFERED, accept),),
    "CN_C:03-06": ((_N.OFFERED, accept),),
}

TRANSFERS: Final[Mapping[str, TransferScript]] = {
    # As the provider.
    "TP:01-01": ((_T.INITIAL, start), (_T.STARTED, terminate)),
    "TP:01-02": ((_T.INITIAL, start), (_T.STARTED, complete)),
    "TP:01-03": ((_T.INITIAL, start), (_T.STARTED, suspend), (_T.SUSPENDED, terminate)),
    "TP:01-04": ((_T.INITIAL, start), (_T.STARTED, suspend), (_T.SUSPENDED, resume), (_T.STARTED, complete)),
    "TP:01-05": ((_T.INITIAL, terminate),),
    "TP:02-01": ((_T.INITIAL, start),),
    "TP:02-02": ((_T.INITIAL, start),),
    "TP:02-03": ((_T.INITIAL, start),),
    "TP:02-05": (),
    "TP:03-01": (),
    "TP:03-02": (),
    "TP:03-03": ((_T.INITIAL, start),),
    "TP:03-04": ((_T.INITIAL, start),),
    "TP:03-05": ((_T.INITIAL, start),),
    "TP:03-06": ((_T.INITIAL, start),),
    # As the consumer.
    "TP_C:01-01": (),
    "TP_C:01-02": (),
    "TP_C:01-03": (),
    "TP_C:01-04": (),
    "TP_C:01-05": (),
    "TP_C:02-01": ((_T.STARTED, terminate),),
    "TP_C:02-02": ((_T.STARTED, complete),),
    "TP_C:02-03": ((_T.STARTED, suspend), (_T.SUSPENDED, terminate)),
    "TP_C:02-05": ((_T.REQUESTED, terminate),),
    "TP_C:03-01": (),
    "TP_C:03-02": (),
    "TP_C:03-03": (),
    "TP_C:03-04": (),
    "TP_C:03-05": (),
    "TP_C:03-06": (),
}

DATASETS: Final = {"CAT:01-01": "CAT0101", "CAT:01-02": "CAT0102", "CAT:01-03": "CAT0103"}
NO_DATASET: Final = "CAT:01-03"
"""Asks for a dataset that must not exist."""


def dataset_or_agreement_of(test: str) -> str:
    """By what its messages are known: `CN_C:01-02` is `ACNC0102`, `TP:03-04` is `ATP0304`.

    The kit's own examples name them so, and CN:01-02 asks for `ACN0102` whatever the configuration says.
    """
    return "A" + test.replace("_", "").replace(":", "").replace("-", "")


def method_of(test: str) -> str:
    """The name of the test's method, as the configuration spells it: `CN_C:01-02` is `CN_C_01_02`."""
    return test.replace(":", "_").replace("-", "_")
