"""Catalogs of counterparties. The answer is the counterparty's JSON, untouched."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

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

router = APIRouter(prefix="/catalog", tags=["catalog"])


@router.post(
    "/request",
    summary="Ask a counterparty for its catalog",
    openapi_extra=request_body(CatalogRequest, {**_COUNTERPARTY, "querySpec": {"offset": 0, "limit": 50}}),
    responses=_ANSWER | errors(400, 413, 502),
)
async def request_catalog(
    body: Annotated[CatalogRequest, Depends(body_of(CatalogRequest))], catalog: Catalog
) -> JSONResponse:
    """What the counterparty offers to this participant."""
    return JSONResponse(await catalog.request_catalog(body.to_counterparty()))


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
