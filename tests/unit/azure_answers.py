"""What azure-core's errors look at in an answer, for tests that need no server."""

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Answer:
    """An answer with this status; `body` is what its JSON says."""

    status_code: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    reason: str = "planted reason"
    request: object = None

    def text(self) -> str:
        return json.dumps(self.body)
