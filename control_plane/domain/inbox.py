"""InboxMessage: something that happened to an entity, waiting for whoever holds the entity's lease."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

WAKE: Final = "WAKE"
"""Kind of a message that says nothing but: look now."""

FROM_COUNTERPARTY: Final = "dsp-"
"""What the id of a counterparty's message begins with; no other id does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxMessage:
    """A counterparty's message, a data plane's call-back, a client's command, or a hint to look again.

    `id` is unique within the entity: the same message stored twice is stored once. `kind` is the name of an event of
    the entity's state machine, or one of the services' own hints. `payload` is JSON and holds no secret.
    """

    id: str
    kind: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    received_at: datetime

    @property
    def is_from_counterparty(self) -> bool:
        """Whether the counterparty sent it, and this side has acknowledged it."""
        return self.id.startswith(FROM_COUNTERPARTY)


def heard(inbox: Sequence[InboxMessage]) -> list[InboxMessage]:
    """What the counterparty said, in its order. It knows nothing of wishes of this side that merely wait."""
    return [message for message in inbox if message.is_from_counterparty]


def counterparty_first(inbox: Sequence[InboxMessage]) -> list[InboxMessage]:
    """The inbox in the order in which it is applied: what is acknowledged is so, what this side wishes comes after."""
    return sorted(inbox, key=lambda message: not message.is_from_counterparty)
