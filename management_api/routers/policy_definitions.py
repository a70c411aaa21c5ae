"""Policy definitions: the rules under which assets are offered."""

from dataclasses import replace as replaced
from typing import Annotated, Final

from fastapi import APIRouter, Depends
from starlette.status import HTTP_204_NO_CONTENT

from management_api.bodies import body_of
from management_api.dependencies import Definitions, Now, ParticipantId
from management_api.documentation import QUERY_BODY, errors, request_body
from management_api.schemas.answers import IdResponse
from management_api.schemas.policy_definition import (
    PolicyDefinitionAnswer,
    PolicyDefinitionRequest,
    PolicyValidationResult,
)
from management_api.schemas.query import QuerySpecRequest

_BODY: Final = request_body(
    PolicyDefinitionRequest,
    {
        "@id": "use",
        "policy": {
            "@context": "http://www.w3.org/ns/odrl.jsonld",
            "@type": "Set",
            "permission": [{"action": "use"}],
        },
    },
)

router = APIRouter(prefix="/policydefinitions", tags=["policy definitions"])


@router.post("", summary="Create a policy definition", openapi_extra=_BODY, responses=errors(400, 409, 413))
async def create(
    body: Annotated[PolicyDefinitionRequest, Depends(body_of(PolicyDefinitionRequest))],
    definitions: Definitions,
    participant_id: ParticipantId,
    clock: Now,
) -> IdResponse:
    """A rule that this connector cannot evaluate is refused."""
    definition = body.to_definition(participant_id, clock.now())
    await definitions.create_policy(definition)
    return IdResponse.of(definition.id, definition.created_at)


@router.post("/request", summary="Query policy definitions", openapi_extra=QUERY_BODY, responses=errors(400, 413))
async def query(
    body: Annotated[QuerySpecRequest, Depends(body_of(QuerySpecRequest))], definitions: Definitions
) -> list[PolicyDefinitionAnswer]:
    """One page; an empty body asks for the first 50."""
    return [PolicyDefinitionAnswer.of(found) for found in await definitions.query_policies(body.to_query())]


@router.post("/{definition_id:path}/validate", summary="Validate a policy definition", responses=errors(404))
async def validate(definition_id: str, definitions: Definitions) -> PolicyValidationResult:
    """Whether it can be evaluated now: a plug-in that it needs may be gone since it was created."""
    return PolicyValidationResult.of(await definitions.policy_problems(definition_id))


@router.get("/{definition_id:path}", summary="Get a policy definition", responses=errors(404))
async def get(definition_id: str, definitions: Definitions) -> PolicyDefinitionAnswer:
    """The policy definition."""
    return PolicyDefinitionAnswer.of(await definitions.get_policy(definition_id))


@router.put(
    "/{definition_id:path}",
    summary="Replace a policy definition",
    openapi_extra=_BODY,
    responses=errors(400, 404, 413),
    status_code=HTTP_204_NO_CONTENT,
)
async def replace(
    definition_id: str,
    body: Annotated[PolicyDefinitionRequest, Depends(body_of(PolicyDefinitionRequest))],
    definitions: Definitions,
) -> None:
    """Agreements that were reached keep the old policy."""
    old = await definitions.get_policy(definition_id)
    new = body.to_definition(old.participant_id, old.created_at)
    await definitions.replace_policy(replaced(new, id=definition_id))


@router.delete(
    "/{definition_id:path}",
    summary="Delete a policy definition",
    responses=errors(404, 409),
    status_code=HTTP_204_NO_CONTENT,
)
async def delete(definition_id: str, definitions: Definitions) -> None:
    """Refused while a contract definition uses it."""
    await definitions.delete_policy(definition_id)
