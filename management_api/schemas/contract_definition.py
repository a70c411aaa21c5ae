"""Contract definitions."""

from datetime import datetime
from typing import Any
from uuid import uuid4

from pydantic import Field

from control_plane.domain.contract_definition import ContractDefinition
from control_plane.domain.query import Criterion
from management_api.schemas.fields import (
    Answer,
    Document,
    ListOf,
    OptionalText,
    Properties,
    Request,
    Text,
    milliseconds,
)
from management_api.schemas.query import CriterionRequest


class ContractDefinitionRequest(Request):
    """Which assets are offered under which policies."""

    id: OptionalText = Field(default="", alias="@id", description="Yours to choose; a random one when missing.")
    access_policy_id: Text = Field(description="Who sees the offer.")
    contract_policy_id: Text = Field(description="What the offer says.")
    assets_selector: ListOf[CriterionRequest] = Field(
        default_factory=list, max_length=50, description="All must hold; none means every asset."
    )
    private_properties: Properties = Field(default_factory=dict)

    def to_definition(self, participant_id: str, now: datetime) -> ContractDefinition:
        """The domain's form.

        Raises:
            InvalidInputError: the selector has an unknown operator, or an operand that does not fit it.
        """
        return ContractDefinition(
            id=self.id or str(uuid4()),
            participant_id=participant_id,
            access_policy_id=self.access_policy_id,
            contract_policy_id=self.contract_policy_id,
            assets_selector=tuple(criterion.to_criterion() for criterion in self.assets_selector),
            private_properties=self.private_properties,
            created_at=now,
        )


class CriterionAnswer(Answer):
    """One condition."""

    type: str = Field(default="Criterion", alias="@type")
    operand_left: str
    operator: str
    operand_right: Any

    @classmethod
    def of(cls, criterion: Criterion) -> "CriterionAnswer":
        """The answer for a criterion."""
        return cls(
            operand_left=criterion.operand_left,
            operator=criterion.operator,
            operand_right=criterion.operand_right,
        )


class ContractDefinitionAnswer(Document):
    """A contract definition."""

    type: str = Field(default="ContractDefinition", alias="@type")
    id: str = Field(alias="@id")
    access_policy_id: str
    contract_policy_id: str
    assets_selector: list[CriterionAnswer]
    private_properties: dict[str, Any]
    created_at: int

    @classmethod
    def of(cls, definition: ContractDefinition) -> "ContractDefinitionAnswer":
        """The answer for a contract definition."""
        return cls(
            id=definition.id,
            access_policy_id=definition.access_policy_id,
            contract_policy_id=definition.contract_policy_id,
            assets_selector=[CriterionAnswer.of(criterion) for criterion in definition.assets_selector],
            private_properties=dict(definition.private_properties),
            created_at=milliseconds(definition.created_at),
        )
