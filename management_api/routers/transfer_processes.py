"""Transfer processes."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends
from starlette.status import HTTP_204_NO_CONTENT

from management_api.bodies import body_of
from management_api.dependencies import Transfers
from management_api.documentation import QUERY_BODY, REASON_BODY, errors, request_body
from management_api.schemas.answers import IdResponse, StateAnswer
from management_api.schemas.negotiation import ReasonRequest
from management_api.schemas.query import QuerySpecRequest
from management_api.schemas.transfer_process import TransferProcessAnswer, TransferProcessRequest

_BODY: Final = request_body(
    TransferProcessRequest,
    {
        "contractId": "contractAgreementId of the negotiation",
        "counterPartyAddress": "https://provider.example/protocol/2025-1",
        "protocol": "dataspace-protocol-http:2025-1",
        "transferType": "AzureStorage-PUSH",
        "dataDestination": {"type": "AzureStorage", "account": "consumeraccount"},
    },
)
_COMMAND_ERRORS: Final = errors(404, 409)

router = APIRouter(prefix="/transferprocesses", tags=["transfer processes"])


@router.post("", summary="Start a transfer", openapi_extra=_BODY, responses=errors(400, 409, 413))
async def initiate(
    body: Annotated[TransferProcessRequest, Depends(body_of(TransferProcessRequest))], transfers: Transfers
) -> IdResponse:
    """Answers at once; ask for the state until it is COMPLETED or TERMINATED."""
    process = await transfers.initiate(body.to_transfer_request())
    return IdResponse.of(process.id, process.created_at)


@router.post(
    "/request",
    summary="Query transfers",
    openapi_extra=QUERY_BODY,
    responses=errors(400, 413),
    response_model_exclude_none=True,
)
async def query(
    body: Annotated[QuerySpecRequest, Depends(body_of(QuerySpecRequest))], transfers: Transfers
) -> list[TransferProcessAnswer]:
    """One page; an empty body asks for the first 50."""
    return [TransferProcessAnswer.of(found) for found in await transfers.query(body.to_query())]


@router.get("/{process_id}", summary="Get a transfer", responses=errors(404), response_model_exclude_none=True)
async def get(process_id: str, transfers: Transfers) -> TransferProcessAnswer:
    """State, progress, and the reason where it failed."""
    return TransferProcessAnswer.of(await transfers.get(process_id))


@router.get("/{process_id}/state", summary="Get the state of a transfer", responses=errors(404))
async def get_state(process_id: str, transfers: Transfers) -> StateAnswer:
    """The state alone."""
    return StateAnswer(type="TransferState", state=(await transfers.get(process_id)).shown_state)


@router.post(
    "/{process_id}/terminate",
    summary="End a transfer",
    openapi_extra=REASON_BODY,
    responses=errors(400, 404, 409, 413),
    status_code=HTTP_204_NO_CONTENT,
)
async def terminate(
    process_id: str, body: Annotated[ReasonRequest, Depends(body_of(ReasonRequest))], transfers: Transfers
) -> None:
    """Stops the bytes; the counterparty is told the reason."""
    await transfers.terminate(process_id, body.reason)


@router.post(
    "/{process_id}/start",
    summary="Let a transfer begin that waits for a decision (provider)",
    responses=_COMMAND_ERRORS,
    status_code=HTTP_204_NO_CONTENT,
)
async def start(process_id: str, transfers: Transfers) -> None:
    """Only where the connector was composed with a guard that holds transfers back."""
    await transfers.start(process_id)


@router.post(
    "/{process_id}/complete",
    summary="End a pull that has given everything",
    responses=_COMMAND_ERRORS,
    status_code=HTTP_204_NO_CONTENT,
)
async def complete(process_id: str, transfers: Transfers) -> None:
    """For a client that fetched the data by itself, or a provider that serves no more; the counterparty is told."""
    await transfers.complete(process_id)


@router.post(
    "/{process_id}/suspend",
    summary="Pause a transfer",
    openapi_extra=REASON_BODY,
    responses=errors(400, 404, 409, 413),
    status_code=HTTP_204_NO_CONTENT,
)
async def suspend(
    process_id: str, body: Annotated[ReasonRequest, Depends(body_of(ReasonRequest))], transfers: Transfers
) -> None:
    """Stops the bytes for now; what has been copied is kept."""
    await transfers.suspend(process_id, body.reason)


@router.post(
    "/{process_id}/resume",
    summary="Go on with a paused transfer",
    responses=_COMMAND_ERRORS,
    status_code=HTTP_204_NO_CONTENT,
)
async def resume(process_id: str, transfers: Transfers) -> None:
    """Goes on where it was paused."""
    await transfers.resume(process_id)


@router.post(
    "/{process_id}/deprovision",
    summary="Remove what a transfer has provisioned",
    responses=_COMMAND_ERRORS,
    status_code=HTTP_204_NO_CONTENT,
)
async def deprovision(process_id: str, transfers: Transfers) -> None:
    """Deletes the container that was made for the transfer, and every secret of it; only once it has ended."""
    await transfers.deprovision(process_id)
