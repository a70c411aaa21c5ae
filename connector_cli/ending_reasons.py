"""The codes of processes that ended or paused without an error: somebody's wish, a deadline, a defect."""

from collections.abc import Mapping
from typing import Final

ENDING_REASONS: Final[Mapping[str, tuple[str, str]]] = {
    "DataFlowError": (
        "the data plane ended the flow and named no code of its own",
        "Read its message, and the data plane's log for this process id.",
    ),
    "DataFlowLost": (
        "the data plane does not know the flow any more: its database was emptied or exchanged",
        "Look at `data_plane.database_url`; then start a new transfer.",
    ),
    "DataFlowSuspended": (
        "the data plane parked the flow, mostly because its credential has ended",
        "Resume the transfer, which brings a fresh credential; the message holds the data plane's reason.",
    ),
    "DeadlineExceeded": (
        "a step took longer than its deadline",
        "The state says which step, and `[transfer]` or `[negotiation]` its deadline. Read the log's warnings.",
    ),
    "InternalError": (
        "a defect of the connector",
        "The log of the side that tells it holds the traceback. Report both with what `connector --version` prints.",
    ),
    "Suspended": ("a data plane or an operator paused the transfer", "Resume it when it may go on."),
    "SuspendedByClient": ("a client of the management API paused the transfer", "Resume it when it may go on."),
    "SuspendedByCounterparty": (
        "the counterparty paused the transfer",
        "It resumes it, or ends it; the message holds its reason, if it gave one.",
    ),
    "Terminated": (
        "somebody ended the process on purpose",
        "The message holds the reason, if one was given; then start a new one.",
    ),
    "TerminatedByClient": (
        "a client of the management API ended the transfer",
        "The message holds the client's reason; start a new transfer if that was not meant.",
    ),
    "TerminatedByCounterparty": (
        "the counterparty ended the process and named no code",
        "Ask the counterparty for its log of this process; `connector status ID` tells both sides' ids.",
    ),
}
"""Code -> cause and remedy."""
