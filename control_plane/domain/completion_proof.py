"""CompletionProof: what a consumer's transfer completes on."""

from collections.abc import Collection
from enum import StrEnum
from typing import Final

from control_plane.domain.transfer_process import TransferProcess


class CompletionProof(StrEnum):
    """Who vouches for it that everything is there."""

    MARKER = "MARKER"
    """The provider's marker, compared with what this side lists in its own storage."""
    DATA_PLANE = "DATA_PLANE"
    """The provider's message, and the consent of this side's data plane, which knows the destination or served it."""
    MESSAGE = "MESSAGE"
    """The provider's message alone."""


_WITHOUT_MARKER: Final = frozenset({"HttpData-PUSH"})
"""Pushes whose sender cannot leave a marker: HTTP has no place for one, and the place behind it is not ours to list."""


def leaves_marker(process: TransferProcess) -> bool:
    """Whether the provider can leave a marker that this side can read by itself."""
    return not process.is_pull and process.data_plane_id is None and process.transfer_type not in _WITHOUT_MARKER


def completion_proof(process: TransferProcess, *, trusting: Collection[str]) -> CompletionProof:
    """What the transfer completes on. `trusting`: counterparties whose message counts by configuration."""
    if process.data_plane_id is not None:
        return CompletionProof.DATA_PLANE
    if leaves_marker(process) and process.counter_party_id not in trusting:
        return CompletionProof.MARKER
    return CompletionProof.MESSAGE
