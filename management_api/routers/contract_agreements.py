"""Contract agreements."""

from typing import Annotated

from fastapi import APIRouter, Depends

from management_api.bodies import body_of
from management_api.dependencies import Negotiations
from management_api.documentation import QUERY_BODY, errors
from management_api.schemas.negotiation import AgreementAnswer, NegotiationAnswer
from management_api.schemas.query import QuerySpecRequest

router = APIRouter(prefix="/contractagreements", tags=["contract agreements"])


@router.post("/request", summary="Query agreements", openapi_extra=QUERY_BODY, responses=errors(400, 413))
async def query(
    body: Annotated[QuerySpecRequest, Depends(body_of(QuerySpecRequest))], negotiations: Negotiations
) -> list[AgreementAnswer]:
    """One page; an empty body asks for the first 50."""
    return [AgreementAnswer.of(found) for found in await negotiations.query_agreements(body.to_query())]


@router.get(
    "/{agreement_id:path}/negotiation",
    summary="Get the negotiation that reached an agreement",
    responses=errors(404),
    response_model_exclude_none=True,
)
async def get_negotiation(agreement_id: str, negotiations: Negotiations) -> NegotiationAnswer:
    """The negotiation."""
    agreement = await negotiations.get_agreement(agreement_id)
    return NegotiationAnswer.of(await negotiations.get(agreement.negotiation_id))


@router.get("/{agreement_id:path}", summary="Get an agreement", responses=errors(404))
async def get(agreement_id: str, negotiations: Negotiations) -> AgreementAnswer:
    """The agreement; the counterparty chose its id if it is the provider."""
    return AgreementAnswer.of(await negotiations.get_agreement(agreement_id))
