"""Endpoint data references."""

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.status import HTTP_204_NO_CONTENT

from connector_spi.errors import NotFoundError
from management_api.bodies import body_of
from management_api.dependencies import EndpointDataReferences, Negotiations
from management_api.documentation import QUERY_BODY, errors
from management_api.schemas.endpoint_data_reference import EdrDataAddress, EdrEntry
from management_api.schemas.query import QuerySpecRequest

router = APIRouter(prefix="/edrs", tags=["endpoint data references"])


@router.post(
    "/request",
    summary="Query endpoint data references",
    openapi_extra=QUERY_BODY,
    responses=errors(400, 413),
    response_model_exclude_none=True,
)
async def query(
    body: Annotated[QuerySpecRequest, Depends(body_of(QuerySpecRequest))],
    references: EndpointDataReferences,
    negotiations: Negotiations,
) -> list[EdrEntry]:
    """One page of the running pulls whose data can be fetched now."""
    found = await references.query(body.to_query())
    return [EdrEntry.of(process, await _negotiation_of(process.contract_id, negotiations)) for process in found]


@router.get("/{process_id}/dataaddress", summary="Get where the data is fetched", responses=errors(404))
async def get_data_address(process_id: str, references: EndpointDataReferences) -> EdrDataAddress:
    """The provider's address with its token; only while the transfer runs."""
    return EdrDataAddress.of(await references.data_address(process_id))


@router.delete(
    "/{process_id}",
    summary="Forget an endpoint data reference",
    responses=errors(404),
    status_code=HTTP_204_NO_CONTENT,
)
async def delete(process_id: str, references: EndpointDataReferences) -> None:
    """Forgets the address; the transfer goes on."""
    await references.delete(process_id)


async def _negotiation_of(agreement_id: str, negotiations: Negotiations) -> str | None:
    try:
        return (await negotiations.get_agreement(agreement_id)).negotiation_id
    except NotFoundError:
        return None
