"""How much a caller may send."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class InputLimits:
    """Limits on every request body."""

    body_bytes: int = 1024 * 1024
    body_seconds: float = 30.0
    """How long a body may take to arrive."""
    depth: int = 32
    """Nested objects and lists."""
