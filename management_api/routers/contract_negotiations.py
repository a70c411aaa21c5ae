"""Contract negotiations."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends
from starlette.status import HTTP_204_NO_CONTENT

from management_api.bodies import body_of
from management_api.dependencies import Negotiations
from management_api.documentation import QUERY_BODY, REASON_BODY, errors, request_body
from management_api.schemas.answers import IdResponse, StateAnswer
from management_api.schemas.negotiation import AgreementAnswer, NegotiationAnswer, NegotiationRequest, ReasonRequest
from management_api.schemas.query import QuerySpecRequest

_BODY: Final = request_body(
    NegotiationRequest,
    {
        "counterPartyId": "provider",
        "counterPartyAddress": "https://provider.example/protocol/2025-1",
        "protocol": "dataspace-protocol-http:2025-1",
        "policy": {
            "@context": "http://www.w3.org/ns/odrl.jsonld",
            "@id": "the id of the offer in the catalog",
            "@type": "Offer",
            "assigner": "provider",
            "target": "weather-2026",
            "permission": [{"action": "use"}],
        },
    },
)

router = APIRouter(prefix="/contractnegotiations", tags=["contract negotiations"])


@router.post("", summary="Begin a negotiation", openapi_extra=_BODY, responses=errors(400, 409, 413))
async def initiate(
    body: Annotated[NegotiationRequest, Depends(body_of(NegotiationRequest))], negotiations: Negotiations
) -> IdResponse:
    """Answers at once; ask for the state until it is FINALIZED or TERMINATED."""
    negotiation = await negotiations.initiate(body.to_contract_request())
    return IdResponse.of(negotiation.id, negotiation.created_at)


@router.post(
    "/request",
    summary="Query negotiations",
    openapi_extra=QUERY_BODY,
    responses=errors(400, 413),
    response_model_exclude_none=True,
)
async def query(
    body: Annotated[QuerySpecRequest, Depends(body_of(QuerySpecRequest))], negotiations: Negotiations
) -> list[NegotiationAnswer]:
    """One page; an empty body asks for the first 50."""
    return [NegotiationAnswer.of(found) for found in await negotiations.query(body.to_query())]


@router.get("/{negotiation_id}", summary="Get a negotiation", responses=errors(404), response_model_exclude_none=True)
async def get(negotiation_id: str, negotiations: Negotiations) -> NegotiationAnswer:
    """The negotiation."""
    return NegotiationAnswer.of(await negotiations.get(negotiation_id))


@router.get("/{negotiation_id}/state", summary="Get the state of a negotiation", responses=errors(404))
async def get_state(negotiation_id: str, negotiations: Negotiations) -> StateAnswer:
    """The state alone."""
    return StateAnswer(type="NegotiationState", state=(await negotiations.get(negotiation_id)).state.name)


@router.get("/{negotiation_id}/agreement", summary="Get the agreement of a negotiation", responses=errors(404))
async def get_agreement(negotiation_id: str, negotiations: Negotiations) -> AgreementAnswer:
    """Not found until the negotiation is FINALIZED."""
    return AgreementAnswer.of(await negotiations.agreement_of(negotiation_id))


@router.post(
    "/{negotiation_id}/terminate",
    summary="End a negotiation",
    openapi_extra=REASON_BODY,
    responses=errors(400, 404, 409, 413),
    status_code=HTTP_204_NO_CONTENT,
)
async def terminate(
    negotiation_id: str, body: Annotated[ReasonRequest, Depends(body_of(ReasonRequest))], negotiations: Negotiations
) -> None:
    """The counterparty is told the reason."""
    await negotiations.terminate(negotiation_id, body.reason)
