"""QuerySpec: one page, filtered and sorted."""

from typing import Any, Literal

from pydantic import Field

from control_plane.domain.query import LIMIT_MAX, Criterion, QuerySpec
from management_api.schemas.fields import ListOf, Number, Request, Single, Text


class CriterionRequest(Request):
    """One condition."""

    operand_left: Text = Field(description="Name of a member, or a dotted path.", examples=["state"])
    operator: Text = Field(examples=["="])
    operand_right: Any = Field(examples=["COMPLETED"])

    def to_criterion(self) -> Criterion:
        """The domain's form.

        Raises:
            InvalidInputError: unknown operator, or an operand that does not fit it.
        """
        right = self.operand_right
        many = self.operator.lower() in {"in", "not in"}
        if many and not isinstance(right, list):
            right = [right]
        if not many and isinstance(right, list) and len(right) == 1:
            right = right[0]
        return Criterion(operand_left=self.operand_left, operator=self.operator, operand_right=right)


class QuerySpecRequest(Request):
    """Which page of which objects; an empty body asks for the first 50."""

    offset: Number = Field(default=0, ge=0)
    limit: Number = Field(default=50, ge=1, le=LIMIT_MAX)
    sort_order: Single[Literal["ASC", "DESC"]] = "ASC"
    sort_field: Text | None = None
    filter_expression: ListOf[CriterionRequest] = Field(default_factory=list, max_length=50)

    def to_query(self) -> QuerySpec:
        """The domain's form.

        Raises:
            InvalidInputError: unknown operator, or an operand that does not fit it.
        """
        return QuerySpec(
            offset=self.offset,
            limit=self.limit,
            sort_field=self.sort_field,
            descending=self.sort_order == "DESC",
            criteria=tuple(criterion.to_criterion() for criterion in self.filter_expression),
        )
