"""Policies, contexts and functions for the tests of the policy engine."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from control_plane.domain.contract_agreement import ContractAgreement
from control_plane.domain.odrl import AtomicConstraint
from control_plane.domain.odrl_truth import Truth
from control_plane.domain.participant import Participant
from control_plane.domain.policy import Policy
from control_plane.domain.policy_context import PolicyContext, PolicyScope
from control_plane.domain.transfer_process import TransferProcess
from tests.control_plane_entities import NOW

ALL: Final = frozenset(PolicyScope)


def constraint(left: str, operator: str, right: Any) -> dict[str, Any]:
    """An atomic constraint, compact."""
    return {"leftOperand": left, "operator": operator, "rightOperand": right}


def rule(*constraints: Mapping[str, Any], **members: Any) -> dict[str, Any]:
    """A rule about use."""
    return {"action": "use", **({"constraint": list(constraints)} if constraints else {}), **members}


def permitting(*constraints: Mapping[str, Any]) -> Policy:
    """A policy that permits use under these constraints."""
    return Policy(permissions=(rule(*constraints),))


def context(
    scope: PolicyScope = PolicyScope.TRANSFER,
    *,
    participant_id: str = "did:web:them",
    claims: Mapping[str, Any] | None = None,
    now: datetime = NOW,
    agreement: ContractAgreement | None = None,
    transfer: TransferProcess | None = None,
) -> PolicyContext:
    """Somebody asks, now."""
    return PolicyContext(
        scope=scope,
        counterparty=Participant(id=participant_id, claims=claims or {}),
        now=now,
        agreement=agreement,
        transfer=transfer,
    )


class Told:
    """A function whose answers are the right operands: `yes`, `no`, `unknown`, or an error that it raises."""

    def __init__(self, *names: str, scopes: frozenset[PolicyScope] = ALL, error: Exception | None = None) -> None:
        self.names = frozenset(names or ("fact",))
        self.scopes = scopes
        self.error = error

    def check(self, constraint: AtomicConstraint) -> None:
        """Everything may be asked."""

    async def holds(self, constraint: AtomicConstraint, context: PolicyContext) -> Truth:
        del context
        if self.error is not None:
            raise self.error
        return {"yes": True, "no": False}.get(str(constraint.right))

    def changes_at(self, constraint: AtomicConstraint, context: PolicyContext) -> datetime | None:
        del constraint, context
        return None
