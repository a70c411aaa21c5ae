"""InboxMessage: something that happened to an entity, waiting for whoever holds the entity's lease."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

WAKE: Final = "WAKE"
"""Kind of a message that says nothing but: look now."""


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
