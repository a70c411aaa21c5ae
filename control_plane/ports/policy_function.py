"""PolicyFunction: knows one kind of fact that policies ask about, under the left operands that it answers to.

Third parties add functions by `build_control_plane(policy_functions=...)`, or by the entry points of an installed
package, the name being the plug-in's own:

    [project.entry-points."dataspace_connector.policy_functions"]
    membership = "our_policies:membership_function"

The object is called once, at the start of the control plane, with a `PolicyPluginContext`; it returns the function and
must not wait.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

from connector_spi.clock import Clock
from connector_spi.outbound_addresses import OutboundAddressPolicy
from connector_spi.vault import Vault
from control_plane.domain.odrl import AtomicConstraint
from control_plane.domain.odrl_truth import Truth
from control_plane.domain.policy_context import PolicyContext, PolicyScope

POLICY_FUNCTIONS_GROUP: Final = "dataspace_connector.policy_functions"


class PolicyFunction(Protocol):
    """Evaluates constraints about one kind of fact."""

    @property
    def names(self) -> frozenset[str]:
        """The left operands that it answers to, as `odrl.short_name` gives them.

        A name that ends in `:` stands for every left operand that begins with it.
        """
        ...

    @property
    def scopes(self) -> frozenset[PolicyScope]:
        """Where the fact is known; elsewhere the constraint cannot be told, and denies."""
        ...

    def check(self, constraint: AtomicConstraint) -> None:
        """Refuse at definition what could never be evaluated.

        Raises:
            InvalidInputError: the operator or the right operand makes no sense; its field begins with
                `constraint.where`.
        """
        ...

    async def holds(self, constraint: AtomicConstraint, context: PolicyContext) -> Truth:
        """Whether the constraint holds in this context; None when that cannot be told.

        Called again and again, for offers, requests and running transfers; has no effect of its own, and is given some
        seconds.

        Raises:
            TransientError: the fact could not be read now; the caller asks again later.
        """
        ...

    def changes_at(self, constraint: AtomicConstraint, context: PolicyContext) -> datetime | None:
        """The next instant after `context.now` at which time alone may change the answer; None when none is known."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyPluginContext:
    """What a plug-in gets."""

    vault: Vault
    clock: Clock
    outbound: OutboundAddressPolicy
    """Which addresses may be called; a plug-in that calls any has to ask it."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The plug-in's own settings: `policy_plugins.<entry point>` of the control plane's."""
