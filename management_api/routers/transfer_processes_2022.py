"""Transfer processes under the paths of EDC's Data Management API of 2022: plain JSON, no versions."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Query
from starlette.status import HTTP_204_NO_CONTENT

from connector_spi.errors import InvalidInputError
from control_plane.domain.query import LIMIT_MAX, Criterion, QuerySpec
from management_api.bodies import body_of
from management_api.dependencies import Transfers
from management_api.documentation import errors, request_body
from management_api.schemas.answers import IdAnswer
from management_api.schemas.transfer_process_2022 import (
    StateAnswer2022,
    TransferProcessAnswer2022,
    TransferProcessRequest2022,
)

_BODY: Final = request_body(
    TransferProcessRequest2022,
    {
        "id": "my-transfer-1",
        "connectorId": "provider",
        "connectorAddress": "https://provider.example/protocol/2025-1",
        "contractId": "contractAgreementId of the negotiation",
        "assetId": "weather-2026",
        "dataDestination": {"properties": {"type": "AzureStorage", "account": "consumeraccount"}},
        "managedResources": True,
        "transferType": {"contentType": "application/octet-stream", "isFinite": True},
    },
    json_ld=False,
)
_REASON: Final = "The client cancelled the transfer."

router = APIRouter(prefix="/transferprocess", tags=["transfer processes (2022)"])


@router.post("", summary="Start a transfer", openapi_extra=_BODY, responses=errors(400, 409, 413))
async def initiate(
    body: Annotated[TransferProcessRequest2022, Depends(body_of(TransferProcessRequest2022))], transfers: Transfers
) -> IdAnswer:
    """Answers at once; ask for the state until it is COMPLETED or TERMINATED."""
    return IdAnswer(id=(await transfers.initiate(body.to_transfer_request())).id)


@router.get("", summary="List transfers", responses=errors(400), response_model_exclude_none=True)
async def query(
    transfers: Transfers,
    *,
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = 50,
    filter_by: Annotated[str, Query(alias="filter", max_length=512, description="`member=value`")] = "",
    sort: Literal["ASC", "DESC"] = "ASC",
    sort_field: Annotated[str | None, Query(alias="sortField", max_length=512)] = None,
) -> list[TransferProcessAnswer2022]:
    """One page."""
    spec = QuerySpec(
        offset=offset, limit=limit, sort_field=sort_field, descending=sort == "DESC", criteria=_criteria(filter_by)
    )
    return [TransferProcessAnswer2022.of(found) for found in await transfers.query(spec)]


@router.get("/{process_id}", summary="Get a transfer", responses=errors(404), response_model_exclude_none=True)
async def get(process_id: str, transfers: Transfers) -> TransferProcessAnswer2022:
    """State, and the reason where it failed."""
    return TransferProcessAnswer2022.of(await transfers.get(process_id))


@router.get("/{process_id}/state", summary="Get the state of a transfer", responses=errors(404))
async def get_state(process_id: str, transfers: Transfers) -> StateAnswer2022:
    """The state alone."""
    return StateAnswer2022(state=(await transfers.get(process_id)).shown_state)


@router.post(
    "/{process_id}/cancel", summary="End a transfer", responses=errors(404, 409), status_code=HTTP_204_NO_CONTENT
)
async def cancel(process_id: str, transfers: Transfers) -> None:
    """Stops the bytes; the counterparty is told."""
    await transfers.terminate(process_id, _REASON)


@router.post(
    "/{process_id}/deprovision",
    summary="Remove what a transfer has provisioned",
    responses=errors(404, 409),
    status_code=HTTP_204_NO_CONTENT,
)
async def deprovision(process_id: str, transfers: Transfers) -> None:
    """Deletes the container that was made for the transfer, and every secret of it; only once it has ended."""
    await transfers.deprovision(process_id)


def _criteria(text: str) -> tuple[Criterion, ...]:
    if not text:
        return ()
    member, equals, value = text.partition("=")
    if not equals or not member.strip():
        raise InvalidInputError(field="filter", value=text, problem="is not of the form member=value")
    return (Criterion(operand_left=member.strip(), operator="=", operand_right=value.strip()),)
