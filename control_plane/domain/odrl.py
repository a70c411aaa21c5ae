"""ODRL rules and constraints as this connector understands them: typed, frozen. `odrl_reader` makes them of JSON.

Source: ODRL Information Model 2.2 (W3C), as far as the Dataspace Protocol 2025-1 uses it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from connector_spi.data_address import EDC_NAMESPACE

Scalar = str | int | float | bool
RightOperand = Scalar | tuple[Scalar, ...]

_NAMESPACES: Final = ("http://www.w3.org/ns/odrl/2/", "odrl:", EDC_NAMESPACE, "edc:")
_SHOWN_MAX: Final = 120


class Operator(StrEnum):
    """How a fact is compared with the right operand."""

    EQ = "eq"
    NEQ = "neq"
    GT = "gt"
    GTEQ = "gteq"
    LT = "lt"
    LTEQ = "lteq"
    HAS_PART = "hasPart"
    IS_A = "isA"
    IS_ALL_OF = "isAllOf"
    IS_ANY_OF = "isAnyOf"
    IS_NONE_OF = "isNoneOf"
    IS_PART_OF = "isPartOf"


ORDERING: Final = frozenset({Operator.GT, Operator.GTEQ, Operator.LT, Operator.LTEQ})
EQUALITY: Final = frozenset({Operator.EQ, Operator.NEQ})


class LogicalOperator(StrEnum):
    """How several constraints make one."""

    AND = "and"
    OR = "or"
    XONE = "xone"
    AND_SEQUENCE = "andSequence"


@dataclass(frozen=True, slots=True)
class AtomicConstraint:
    """One fact, compared with a value."""

    left: str
    """The short name for ODRL's and EDC's own, the full one for others."""
    operator: Operator
    right: RightOperand
    where: str = "constraint"
    """The place in the policy, such as `policy.permission[0].constraint[1]`."""

    def __str__(self) -> str:
        right = ", ".join(map(str, self.right)) if isinstance(self.right, tuple) else str(self.right)
        return f"{self.left} {self.operator} {right if len(right) <= _SHOWN_MAX else right[:_SHOWN_MAX] + '...'}"


@dataclass(frozen=True, slots=True)
class LogicalConstraint:
    """Constraints under a logical operator; never empty."""

    operator: LogicalOperator
    operands: "tuple[Constraint, ...]"

    def __str__(self) -> str:
        return f"{self.operator}({'; '.join(map(str, self.operands))})"


Constraint = AtomicConstraint | LogicalConstraint


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A permission, prohibition, obligation or duty about `use`; all its constraints belong together."""

    constraints: tuple[Constraint, ...] = ()
    duties: "tuple[Rule, ...]" = ()
    """Of a permission only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """All rules of a policy."""

    permissions: tuple[Rule, ...]
    prohibitions: tuple[Rule, ...]
    obligations: tuple[Rule, ...]


def short_name(name: str) -> str:
    """A name of ODRL's or EDC's vocabulary without its namespace or prefix; others as they are."""
    for namespace in _NAMESPACES:
        if name.startswith(namespace):
            return name.removeprefix(namespace)
    return name


def atoms(rules: RuleSet) -> tuple[AtomicConstraint, ...]:
    """Every atomic constraint of the rules, in their order."""
    every = (*rules.permissions, *rules.prohibitions, *rules.obligations)
    with_duties = [inner for rule in every for inner in (rule, *rule.duties)]
    return tuple(atom for rule in with_duties for constraint in rule.constraints for atom in _atoms_of(constraint))


def _atoms_of(constraint: Constraint) -> tuple[AtomicConstraint, ...]:
    if isinstance(constraint, AtomicConstraint):
        return (constraint,)
    return tuple(atom for operand in constraint.operands for atom in _atoms_of(operand))
