"""The `filter` of a CatalogRequestMessage: one QuerySpec, as EDC sends it. The specification leaves the form open.

Written with full names, so that a JSON-LD processor keeps them without a further context. Read with full names, with
`edc:`, or plainly. What is not understood is refused: a filter that is passed over would show what nobody asked for.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from connector_spi.data_address import EDC_NAMESPACE
from connector_spi.errors import InvalidInputError
from connector_spi.json_body import validated
from control_plane.domain.catalog import PAGE_MAX, CatalogQuery
from control_plane.domain.query import Criterion, QuerySpec

CRITERIA_MAX: Final = 50
_PLACE: Final = "filter[0]"
_LISTS: Final = frozenset({"in", "not in"})
_WRAPPERS: Final = ("@value", "@list", "@set")
_IGNORED: Final = frozenset({"@context", "@id"})


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _name(value: Any) -> Any:
    return _short(value) if isinstance(value, str) else value


class _Member(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")


class _Criterion(_Member):
    type: Annotated[Literal["Criterion"], BeforeValidator(_name)] = Field(default="Criterion", alias="@type")
    operand_left: str = Field(min_length=1, max_length=512)
    operator: str = Field(max_length=32)
    operand_right: Any

    def to_criterion(self) -> Criterion:
        """A list of one is a value to most operators, and a value is a list of one to `in`: JSON-LD mixes them up."""
        right = self.operand_right
        if self.operator.lower() in _LISTS:
            right = _as_list(right)
        elif isinstance(right, list) and len(right) == 1:
            right = right[0]
        return Criterion(operand_left=self.operand_left, operator=self.operator, operand_right=right)


class _QuerySpec(_Member):
    type: Annotated[Literal["QuerySpec"], BeforeValidator(_name)] = Field(default="QuerySpec", alias="@type")
    offset: int = Field(default=0, ge=0, le=2**63 - 1)
    limit: int | None = Field(default=None, ge=1)
    sort_order: Literal["ASC", "DESC"] = "ASC"
    sort_field: Annotated[Literal["createdAt"] | None, BeforeValidator(_name)] = None
    filter_expression: Annotated[list[_Criterion], BeforeValidator(_as_list)] = Field(
        default_factory=list, max_length=CRITERIA_MAX
    )


def read_filter(entries: list[Any] | None, *, page_size: int) -> CatalogQuery:
    """What is asked for; without a filter the first page. `page_size`: where no limit is given.

    More than `PAGE_MAX` is cut to it: the next page is linked.

    Raises:
        InvalidInputError: it is no QuerySpec, or names what cannot be done; says where.
    """
    if not entries:
        return CatalogQuery(limit=page_size)
    if len(entries) > 1 or not isinstance(entries[0], dict):
        raise InvalidInputError(
            field="filter", value="...", problem="is not supported", remedy="Send one QuerySpec, or no filter."
        )
    try:
        spec = validated(_QuerySpec, _plain(entries[0]))
        criteria = tuple(criterion.to_criterion() for criterion in spec.filter_expression)
    except InvalidInputError as error:
        raise InvalidInputError(field=f"{_PLACE}.{error.field}", value=error.value, problem=error.problem) from None
    return CatalogQuery(
        limit=min(spec.limit or page_size, PAGE_MAX),
        offset=spec.offset,
        descending=spec.sort_order == "DESC",
        criteria=criteria,
    )


def written_filter(query: QuerySpec) -> list[dict[str, Any]]:
    """The filter of a request for this query."""
    spec: dict[str, Any] = {
        "@type": _full("QuerySpec"),
        _full("offset"): query.offset,
        _full("limit"): query.limit,
        _full("sortOrder"): "DESC" if query.descending else "ASC",
    }
    if query.sort_field is not None:
        spec[_full("sortField")] = query.sort_field
    if query.criteria:
        spec[_full("filterExpression")] = [_written(criterion) for criterion in query.criteria]
    return [spec]


def _written(criterion: Criterion) -> dict[str, Any]:
    return {
        "@type": _full("Criterion"),
        _full("operandLeft"): criterion.operand_left,
        _full("operator"): criterion.operator,
        _full("operandRight"): criterion.operand_right,
    }


def _full(name: str) -> str:
    return EDC_NAMESPACE + name


def _short(name: str) -> str:
    return name.removeprefix(EDC_NAMESPACE).removeprefix("edc:")


def _plain(value: Any) -> Any:
    """Names without their namespace, values without their wrapping."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    for wrapper in _WRAPPERS:
        if wrapper in value:
            return _plain(value[wrapper])
    members = {_short(name): _plain(inner) for name, inner in value.items() if name not in _IGNORED}
    return {name: _single(name, inner) for name, inner in members.items() if inner is not None}


def _single(name: str, value: Any) -> Any:
    """The value in a list of one, except where a list is meant."""
    if name in {"filterExpression", "operandRight"} or not isinstance(value, list) or len(value) != 1:
        return value
    return value[0]
