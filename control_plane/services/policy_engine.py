"""PolicyEngine: whether a policy permits use in a context. What is not understood is never permitted."""

from control_plane.domain.policy import Policy
from control_plane.domain.policy_context import PolicyContext


class PolicyEngine:
    """Evaluates ODRL policies."""

    async def denial(self, policy: Policy, context: PolicyContext) -> str | None:
        """Why the policy does not permit use in this context, in words both sides may read; None when it does.

        Raises:
            TransientError: a fact could not be read now; ask again.
        """
        del context
        return None if policy.permits_use else "The policy holds a rule that this connector cannot evaluate."

    def check_understood(self, policy: Policy) -> None:
        """Refuse what could not be evaluated later.

        Raises:
            InvalidInputError: names the rule.
        """
        policy.check_understood()
