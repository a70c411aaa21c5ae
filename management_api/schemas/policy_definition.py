"""Policy definitions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from pydantic import Field

from control_plane.domain.policy import PolicyDefinition
from management_api.odrl import policy_of, shown_policy
from management_api.schemas.fields import Document, OptionalText, Properties, Request, milliseconds


class PolicyDefinitionRequest(Request):
    """A policy under an id."""

    id: OptionalText = Field(default="", alias="@id", description="Yours to choose; a random one when missing.")
    policy: Properties = Field(description="An ODRL policy.")
    private_properties: Properties = Field(default_factory=dict)

    def to_definition(self, participant_id: str, now: datetime) -> PolicyDefinition:
        """The domain's form.

        Raises:
            InvalidInputError: the policy's rules are not objects.
        """
        return PolicyDefinition(
            id=self.id or str(uuid4()),
            participant_id=participant_id,
            policy=policy_of(self.policy),
            created_at=now,
            private_properties=self.private_properties,
        )


class PolicyDefinitionAnswer(Document):
    """A policy definition."""

    type: str = Field(default="PolicyDefinition", alias="@type")
    id: str = Field(alias="@id")
    policy: dict[str, Any]
    private_properties: dict[str, Any]
    created_at: int

    @classmethod
    def of(cls, definition: PolicyDefinition) -> "PolicyDefinitionAnswer":
        """The answer for a policy definition."""
        return cls(
            id=definition.id,
            policy={"@id": definition.id, **shown_policy(definition.policy, "Set")},
            private_properties=dict(definition.private_properties),
            created_at=milliseconds(definition.created_at),
        )


class PolicyValidationResult(Document):
    """Whether a stored policy can be evaluated."""

    type: str = Field(default="PolicyValidationResult", alias="@type")
    is_valid: bool
    errors: list[str]

    @classmethod
    def of(cls, problems: Sequence[str]) -> "PolicyValidationResult":
        """The answer; valid when there is no problem."""
        return cls(is_valid=not problems, errors=list(problems))
