"""QuerySpec: how clients page, sort and filter. Source of the shape: EDC's management API."""

from dataclasses import dataclass
from typing import Any, Final

from connector_spi.errors import InvalidInputError

OPERATORS: Final = frozenset({"=", "!=", "in", "not in", "like", "ilike", "contains", "<", "<=", ">", ">="})
LIMIT_MAX: Final = 10_000
"""More rows than this in one answer are refused: page instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One condition. `operand_left` is a dotted path over the object's members, as a client sees them."""

    operand_left: str
    operator: str
    operand_right: Any

    def __post_init__(self) -> None:
        if self.operator.lower() not in OPERATORS:
            raise InvalidInputError(
                field="operator",
                value=self.operator,
                problem="is not an operator",
                remedy=f"Use one of {', '.join(sorted(OPERATORS))}.",
            )
        wants_list = self.operator.lower() in {"in", "not in"}
        if wants_list is not isinstance(self.operand_right, list):
            raise InvalidInputError(
                field="operandRight",
                value=self.operand_right,
                problem=f"{'must' if wants_list else 'must not'} be a list for the operator {self.operator!r}",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class QuerySpec:
    """All criteria must hold. Sorted by `sort_field`, or by creation, oldest first."""

    offset: int = 0
    limit: int = 50
    sort_field: str | None = None
    descending: bool = False
    criteria: tuple[Criterion, ...] = ()

    def __post_init__(self) -> None:
        if self.offset < 0:
            raise InvalidInputError(field="offset", value=self.offset, problem="must be 0 or more")
        if not 1 <= self.limit <= LIMIT_MAX:
            raise InvalidInputError(field="limit", value=self.limit, problem=f"must be 1 to {LIMIT_MAX}")
