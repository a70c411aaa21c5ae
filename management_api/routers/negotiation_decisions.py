"""Decisions about contract negotiations that wait for one: `pending` says so, `offer` shows the terms on the table.

A decision may also be made while nothing waits; what the state does not allow is a conflict.
"""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from starlette.status import HTTP_204_NO_CONTENT

from management_api.bodies import body_of
from management_api.dependencies import Negotiations
from management_api.documentation import errors, request_body
from management_api.schemas.answers import IdResponse
from management_api.schemas.negotiation_decisions import OfferRequest, TermsRequest

_TERMS: Final = {
    "policy": {
        "@context": "http://www.w3.org/ns/odrl.jsonld",
        "@type": "Offer",
        "permission": [
            {
                "action": "use",
                "constraint": [
                    {"leftOperand": "inForceDate", "operator": "lteq", "rightOperand": "2027-01-01T00:00:00Z"}
                ],
            }
        ],
    }
}
_TERMS_BODY: Final = request_body(TermsRequest, _TERMS)
_OFFER_BODY: Final = request_body(
    OfferRequest,
    {
        "counterPartyId": "consumer",
        "counterPartyAddress": "https://consumer.example/protocol/2025-1",
        "protocol": "dataspace-protocol-http:2025-1",
        "policy": {**_TERMS["policy"], "target": "weather-2026"},
    },
)
_TERMS_ERRORS: Final[dict[int | str, dict[str, Any]]] = errors(400, 404, 409, 413)
_DECISION_ERRORS: Final[dict[int | str, dict[str, Any]]] = errors(404, 409)

router = APIRouter(prefix="/contractnegotiations", tags=["contract negotiations"])


@router.post(
    "/offers", summary="Offer a contract to a consumer", openapi_extra=_OFFER_BODY, responses=errors(400, 404, 409, 413)
)
async def offer_to(
    body: Annotated[OfferRequest, Depends(body_of(OfferRequest))], negotiations: Negotiations
) -> IdResponse:
    """As the provider, without having been asked; the consumer accepts, asks for other terms, or ends it."""
    negotiation = await negotiations.offer_to(body.to_command())
    return IdResponse.of(negotiation.id, negotiation.created_at)


@router.post(
    "/{negotiation_id}/request",
    summary="Ask for other terms than those offered (consumer)",
    openapi_extra=_TERMS_BODY,
    responses=_TERMS_ERRORS,
    status_code=HTTP_204_NO_CONTENT,
)
async def request(
    negotiation_id: str, body: Annotated[TermsRequest, Depends(body_of(TermsRequest))], negotiations: Negotiations
) -> None:
    """A counter-offer to what the provider offered; possible in OFFERED."""
    await negotiations.request(negotiation_id, body.to_policy())


@router.post(
    "/{negotiation_id}/offer",
    summary="Offer other terms than those asked for (provider)",
    openapi_extra=_TERMS_BODY,
    responses=_TERMS_ERRORS,
    status_code=HTTP_204_NO_CONTENT,
)
async def offer(
    negotiation_id: str, body: Annotated[TermsRequest, Depends(body_of(TermsRequest))], negotiations: Negotiations
) -> None:
    """A counter-offer to what the consumer asked for; possible in REQUESTED."""
    await negotiations.offer(negotiation_id, body.to_policy())


@router.post(
    "/{negotiation_id}/accept",
    summary="Accept the offer on the table (consumer)",
    responses=_DECISION_ERRORS,
    status_code=HTTP_204_NO_CONTENT,
)
async def accept(negotiation_id: str, negotiations: Negotiations) -> None:
    """Possible in OFFERED; read `offer` before: its terms are what will be agreed."""
    await negotiations.accept(negotiation_id)


@router.post(
    "/{negotiation_id}/agree",
    summary="Agree to the terms on the table (provider)",
    responses=_DECISION_ERRORS,
    status_code=HTTP_204_NO_CONTENT,
)
async def agree(negotiation_id: str, negotiations: Negotiations) -> None:
    """Possible in REQUESTED and ACCEPTED; in REQUESTED it grants what the consumer asked for."""
    await negotiations.agree(negotiation_id)


@router.post(
    "/{negotiation_id}/verify",
    summary="Confirm the agreement (consumer)",
    responses=_DECISION_ERRORS,
    status_code=HTTP_204_NO_CONTENT,
)
async def verify(negotiation_id: str, negotiations: Negotiations) -> None:
    """Possible in AGREED."""
    await negotiations.verify(negotiation_id)


@router.post(
    "/{negotiation_id}/finalize",
    summary="Make the agreement binding (provider)",
    responses=_DECISION_ERRORS,
    status_code=HTTP_204_NO_CONTENT,
)
async def finalize(negotiation_id: str, negotiations: Negotiations) -> None:
    """Possible in VERIFIED."""
    await negotiations.finalize(negotiation_id)
