"""Catalogs of counterparties. The answer is the counterparty's JSON, untouched."""

import base64
import binascii
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse

from connector_spi.errors import InvalidInputError
from management_api.bodies import body_of
from management_api.dependencies import Catalog
from management_api.documentation import errors, request_body
from management_api.schemas.catalog import CatalogRequest, DatasetRequest

_COUNTERPARTY: Final = {
    "counterPartyId": "provider",
    "counterPartyAddress": "https://provider.example/protocol/2025-1",
    "protocol": "dataspace-protocol-http:2025-1",
}
_ANSWER: Final[dict[int | str, dict[str, Any]]] = {200: {"description": "The counterparty's own JSON."}}
_CONTINUATION: Final = "continuationToken"
_CONTINUATION_MAX: Final = 16_384

router = APIRouter(prefix="/catalog", tags=["catalog"])


@router.post(
    "/request",
    summary="Ask a counterparty for its catalog",
    openapi_extra=request_body(CatalogRequest, {**_COUNTERPARTY, "querySpec": {"offset": 0, "limit": 50}}),
    responses=_ANSWER | errors(400, 413, 502),
)
async def request_catalog(
    body: Annotated[CatalogRequest, Depends(body_of(CatalogRequest))],
    catalog: Catalog,
    continuation: Annotated[
        str | None, Query(alias=_CONTINUATION, max_length=_CONTINUATION_MAX, description="Of an earlier Link header.")
    ] = None,
) -> JSONResponse:
    """What the counterparty offers to this participant.

    As many datasets as `querySpec.limit` says, or, without one, as many as the counterparty gives at once. When there
    are more, the header `Link` (`rel="next"`) names where: post the same body there.
    """
    found = await catalog.request_catalog(
        body.to_counterparty(), body.to_query(), _page_of(continuation) if continuation else None
    )
    answer = JSONResponse(found.body)
    if found.next is not None:
        token = base64.urlsafe_b64encode(found.next.encode()).decode()
        # Relative to this URL, whatever it is called from outside.
        answer.headers["Link"] = f'<?{_CONTINUATION}={token}>; rel="next"'
    return answer


@router.post(
    "/dataset/request",
    summary="Ask a counterparty for one dataset",
    openapi_extra=request_body(DatasetRequest, {"@id": "weather-2026", **_COUNTERPARTY}),
    responses=_ANSWER | errors(400, 413, 502),
)
async def request_dataset(
    body: Annotated[DatasetRequest, Depends(body_of(DatasetRequest))], catalog: Catalog
) -> JSONResponse:
    """One dataset with its offers."""
    return JSONResponse(await catalog.request_dataset(body.to_counterparty(), body.id))


def _page_of(token: str) -> str:
    """The counterparty's page that a token of ours stands for."""
    try:
        return base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode("ascii")
    except (ValueError, binascii.Error):
        raise InvalidInputError(
            field=_CONTINUATION, value="...", problem="is not one of this API", remedy="Take it from a Link header."
        ) from None
