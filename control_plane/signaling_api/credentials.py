"""Where a data plane asks for a fresh credential for a flow's destination: an extension of Data Plane Signaling."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from connector_spi.data_address import DataAddressMessage
from connector_spi.json_body import read_json_object, validated
from connector_spi.signaling import DataFlowStatusMessage
from control_plane.services.credential_renewer import CredentialRenewer
from control_plane.signaling_api.exchange import SignalingExchange


def credentials_router(exchange: SignalingExchange, renewer: CredentialRenewer) -> APIRouter:
    """POST /transfers/{id}/dataflow/credential; stands before the call-backs, which have the same form of path."""
    router = APIRouter(prefix="/transfers")

    @router.post("/{process_id}/dataflow/credential")
    async def renew(request: Request, process_id: str) -> Response:
        async def handle(callers: frozenset[str]) -> dict[str, Any]:
            message = validated(DataFlowStatusMessage, await read_json_object(request))
            address = await renewer.renew(callers, process_id)
            return DataFlowStatusMessage(
                message_id=message.message_id,
                data_flow_id=message.data_flow_id,
                state=message.state,
                data_address=DataAddressMessage.of(address),
            ).wire()

        answer = await exchange.answer(request, handle)
        answer.headers["Cache-Control"] = "no-store"
        return answer

    return router
