"""Continuation of a catalog: which page a link asks for, as an opaque token in its query (RFC 5988 links).

A token holds the whole question, so that whoever follows the link need not repeat it. It is neither secret nor signed:
it says nothing that the caller may not see or did not ask (and when an asset was created), and whoever forges one gets
what an honest question would have given, for the caller's rights are looked at again for every page.
"""

import base64
import binascii
import json
from typing import Any, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from connector_spi.errors import InvalidInputError
from connector_spi.json_body import parsed_object, validated
from control_plane.catalog_filter import CRITERIA_MAX
from control_plane.domain.catalog import CatalogPage, CatalogPosition, CatalogQuery
from control_plane.domain.query import Criterion

PARAMETER: Final = "continuationToken"
_TOKEN_MAX: Final = 8192
"""Characters; servers and proxies refuse much longer lines."""


class _Token(BaseModel):
    model_config = ConfigDict(extra="forbid")

    limit: int
    at: AwareDatetime
    id: str = Field(max_length=4096)
    backwards: bool = False
    descending: bool = False
    criteria: list[tuple[str, str, Any]] = Field(default_factory=list, max_length=CRITERIA_MAX)


def read_continuation(token: str) -> CatalogQuery:
    """The page that a token stands for.

    Raises:
        InvalidInputError: it is none of ours.
    """
    try:
        if len(token) > _TOKEN_MAX:
            raise _refused()
        read = validated(_Token, parsed_object(base64.urlsafe_b64decode(token.encode() + b"==")))
        return CatalogQuery(
            limit=read.limit,
            beyond=CatalogPosition(read.at, read.id),
            backwards=read.backwards,
            descending=read.descending,
            criteria=tuple(
                Criterion(operand_left=left, operator=operator, operand_right=right)
                for left, operator, right in read.criteria
            ),
        )
    except (ValueError, binascii.Error, InvalidInputError):
        raise _refused() from None


def links(page: CatalogPage, url: str) -> list[str]:
    """The values of the page's Link headers; `url`: of the catalog request.

    Raises:
        InvalidInputError: the filter is too large to be continued.
    """
    related = {"previous": page.previous, "next": page.next}
    return [
        f'<{url}?{PARAMETER}={_written(query, query.beyond)}>; rel="{relation}"'
        for relation, query in related.items()
        if query is not None and query.beyond is not None
    ]


def _written(query: CatalogQuery, beyond: CatalogPosition) -> str:
    facts: dict[str, Any] = {"limit": query.limit, "at": beyond.created_at.isoformat(), "id": beyond.asset_id}
    facts |= {name: True for name in ("backwards", "descending") if getattr(query, name)}
    if query.criteria:
        facts["criteria"] = [[c.operand_left, c.operator, c.operand_right] for c in query.criteria]
    compact = json.dumps(facts, separators=(",", ":"), ensure_ascii=False).encode()
    token = base64.urlsafe_b64encode(compact).decode().rstrip("=")
    if len(token) > _TOKEN_MAX:
        raise InvalidInputError(
            field="filter", value="...", problem="is too large for a catalog of several pages", remedy="Ask for less."
        )
    return token


def _refused() -> InvalidInputError:
    return InvalidInputError(
        field=PARAMETER, value="...", problem="is not one of this catalog", remedy="Take it from a Link header."
    )
