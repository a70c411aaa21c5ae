"""Assets: data that this participant can offer."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends
from starlette.status import HTTP_204_NO_CONTENT

from connector_spi.errors import InvalidInputError
from management_api.bodies import body_of
from management_api.dependencies import Definitions, Now, ParticipantId
from management_api.documentation import QUERY_BODY, errors, request_body
from management_api.schemas.answers import IdResponse
from management_api.schemas.asset import AssetAnswer, AssetRequest
from management_api.schemas.query import QuerySpecRequest

_BODY: Final = request_body(
    AssetRequest,
    {
        "@id": "weather-2026",
        "properties": {"name": "Weather of 2026", "contenttype": "text/csv"},
        "dataAddress": {
            "type": "AzureStorage",
            "account": "provideraccount",
            "container": "weather",
            "blobName": "2026.csv",
            "keyName": "provideraccount-key1",
        },
    },
)

router = APIRouter(prefix="/assets", tags=["assets"])


@router.post("", summary="Create an asset", openapi_extra=_BODY, responses=errors(400, 409, 413))
async def create(
    body: Annotated[AssetRequest, Depends(body_of(AssetRequest))],
    definitions: Definitions,
    participant_id: ParticipantId,
    clock: Now,
) -> IdResponse:
    """The asset is offered once a contract definition selects it."""
    asset = body.to_asset(participant_id, clock.now())
    await definitions.create_asset(asset)
    return IdResponse.of(asset.id, asset.created_at)


@router.put(
    "",
    summary="Replace an asset",
    openapi_extra=_BODY,
    responses=errors(400, 404, 413),
    status_code=HTTP_204_NO_CONTENT,
)
async def replace(body: Annotated[AssetRequest, Depends(body_of(AssetRequest))], definitions: Definitions) -> None:
    """The body's `@id` names the asset."""
    if not body.id:
        raise InvalidInputError(field="@id", value="", problem="is missing; it names the asset to replace")
    await definitions.replace_asset(body.replacing(await definitions.get_asset(body.id)))


@router.post("/request", summary="Query assets", openapi_extra=QUERY_BODY, responses=errors(400, 413))
async def query(
    body: Annotated[QuerySpecRequest, Depends(body_of(QuerySpecRequest))], definitions: Definitions
) -> list[AssetAnswer]:
    """One page; an empty body asks for the first 50."""
    return [AssetAnswer.of(asset) for asset in await definitions.query_assets(body.to_query())]


@router.get("/{asset_id:path}", summary="Get an asset", responses=errors(404))
async def get(asset_id: str, definitions: Definitions) -> AssetAnswer:
    """The asset with its data address, without secrets."""
    return AssetAnswer.of(await definitions.get_asset(asset_id))


@router.delete(
    "/{asset_id:path}", summary="Delete an asset", responses=errors(404, 409), status_code=HTTP_204_NO_CONTENT
)
async def delete(asset_id: str, definitions: Definitions) -> None:
    """Refused while an agreement is about it."""
    await definitions.delete_asset(asset_id)
