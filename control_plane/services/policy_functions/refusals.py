"""How functions refuse, at definition, what they could never evaluate."""

from collections.abc import Collection

from connector_spi.errors import InvalidInputError
from control_plane.domain.odrl import AtomicConstraint, Operator


def check_operator(constraint: AtomicConstraint, allowed: Collection[Operator]) -> None:
    """Refuse an operator that makes no sense for the left operand.

    Raises:
        InvalidInputError: names the operator's place, and those that are possible.
    """
    if constraint.operator not in allowed:
        raise InvalidInputError(
            field=f"{constraint.where}.operator",
            value=constraint.operator.value,
            problem=f"makes no sense for {constraint.left}",
            remedy=f"Use one of {', '.join(operator.value for operator in Operator if operator in allowed)}.",
        )


def refused_right(constraint: AtomicConstraint, problem: str, remedy: str) -> InvalidInputError:
    """The refusal of a right operand."""
    right = list(constraint.right) if isinstance(constraint.right, tuple) else constraint.right
    return InvalidInputError(field=f"{constraint.where}.rightOperand", value=right, problem=problem, remedy=remedy)
