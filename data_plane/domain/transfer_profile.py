"""TransferProfile: what a profile's name in a message means for a flow."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from connector_spi.signaling import DataFlowBaseMessage


class Direction(StrEnum):
    """Who moves the bytes."""

    PUSH = "PUSH"
    """The provider's side writes where the consumer's side says."""
    PULL = "PULL"
    """The consumer's side reads where the provider's side says."""


def _at_once(_message: DataFlowBaseMessage) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferProfile:
    """One profile, in one direction."""

    name: str
    """As `profile` (or `transferType`) in messages."""
    direction: Direction
    address_type: str
    """Type of the address that one side gives to the other: which sources, sinks, preparers, granters serve it."""
    renewable: bool = False
    """Whether an address of this profile has to say how its token is renewed."""
    answers_later: Callable[[DataFlowBaseMessage], bool] = _at_once
    """Whether `prepare` and `start` are to be answered with 202, however quickly they could be done."""

    @property
    def endpoint_type(self) -> str:
        """`endpointType` of its addresses: a URL profile names itself, as the http profile does; EDC's its type."""
        return self.name if "://" in self.name else self.address_type
