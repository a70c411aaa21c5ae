"""Contract definitions: which assets are offered under which policies."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends
from starlette.status import HTTP_204_NO_CONTENT

from connector_spi.errors import InvalidInputError
from management_api.bodies import body_of
from management_api.dependencies import Definitions, Now, ParticipantId
from management_api.documentation import QUERY_BODY, errors, request_body
from management_api.schemas.answers import IdResponse
from management_api.schemas.contract_definition import ContractDefinitionAnswer, ContractDefinitionRequest
from management_api.schemas.query import QuerySpecRequest

_BODY: Final = request_body(
    ContractDefinitionRequest,
    {
        "@id": "weather-for-all",
        "accessPolicyId": "use",
        "contractPolicyId": "use",
        "assetsSelector": [{"operandLeft": "id", "operator": "=", "operandRight": "weather-2026"}],
    },
)

router = APIRouter(prefix="/contractdefinitions", tags=["contract definitions"])


@router.post("", summary="Create a contract definition", openapi_extra=_BODY, responses=errors(400, 409, 413))
async def create(
    body: Annotated[ContractDefinitionRequest, Depends(body_of(ContractDefinitionRequest))],
    definitions: Definitions,
    participant_id: ParticipantId,
    clock: Now,
) -> IdResponse:
    """From now on the selected assets are offered."""
    definition = body.to_definition(participant_id, clock.now())
    await definitions.create_contract_definition(definition)
    return IdResponse.of(definition.id, definition.created_at)


@router.put(
    "",
    summary="Replace a contract definition",
    openapi_extra=_BODY,
    responses=errors(400, 404, 413),
    status_code=HTTP_204_NO_CONTENT,
)
async def replace(
    body: Annotated[ContractDefinitionRequest, Depends(body_of(ContractDefinitionRequest))], definitions: Definitions
) -> None:
    """The body's `@id` names the contract definition."""
    if not body.id:
        raise InvalidInputError(field="@id", value="", problem="is missing; it names the definition to replace")
    old = await definitions.get_contract_definition(body.id)
    await definitions.replace_contract_definition(body.to_definition(old.participant_id, old.created_at))


@router.post("/request", summary="Query contract definitions", openapi_extra=QUERY_BODY, responses=errors(400, 413))
async def query(
    body: Annotated[QuerySpecRequest, Depends(body_of(QuerySpecRequest))], definitions: Definitions
) -> list[ContractDefinitionAnswer]:
    """One page; an empty body asks for the first 50."""
    page = await definitions.query_contract_definitions(body.to_query())
    return [ContractDefinitionAnswer.of(found) for found in page]


@router.get("/{definition_id:path}", summary="Get a contract definition", responses=errors(404))
async def get(definition_id: str, definitions: Definitions) -> ContractDefinitionAnswer:
    """The contract definition."""
    return ContractDefinitionAnswer.of(await definitions.get_contract_definition(definition_id))


@router.delete(
    "/{definition_id:path}",
    summary="Delete a contract definition",
    responses=errors(404),
    status_code=HTTP_204_NO_CONTENT,
)
async def delete(definition_id: str, definitions: Definitions) -> None:
    """Its offers end; agreements that were reached stay."""
    await definitions.delete_contract_definition(definition_id)
