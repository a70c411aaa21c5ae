"""The endpoint where a provider gets a fresh credential: an extension beside the Dataspace Protocol."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from connector_spi.errors import InvalidInputError
from control_plane.credential_messages import (
    RENEWAL_CONTEXT,
    RENEWAL_REQUEST,
    CredentialRenewalRequestMessage,
    renewal_answer,
)
from control_plane.domain.participant import Participant
from control_plane.protocol_api.exchange import TRANSFER_ERROR, Exchange, read_message
from control_plane.services.credential_issuer import CredentialIssuer


class CredentialEndpoint:
    """/transfers/{pid}/credential; stands before the protocol's own transfer endpoints."""

    def __init__(self, exchange: Exchange, issuer: CredentialIssuer) -> None:
        self._exchange = exchange
        self._issuer = issuer

    def router(self) -> APIRouter:
        """The route."""
        router = APIRouter(prefix="/transfers")
        router.add_api_route("/{pid}/credential", self.renew, methods=["POST"])
        return router

    async def renew(self, request: Request, pid: str) -> JSONResponse:
        """A provider asks for a credential with a later end."""

        async def handle(caller: Participant) -> dict[str, Any]:
            body = await read_message(
                request, CredentialRenewalRequestMessage, RENEWAL_REQUEST, context=RENEWAL_CONTEXT
            )
            if body.consumer_pid != pid:
                raise InvalidInputError(
                    field="consumerPid", value=body.consumer_pid, problem="is not the process in the path"
                )
            issued = await self._issuer.renew(caller.id, pid, body.provider_pid)
            return renewal_answer(
                message_id=body.id,
                consumer_pid=issued.process_id,
                provider_pid=issued.provider_pid,
                secret=issued.secret,
                expires_at=issued.expires_at,
            )

        answer = await self._exchange.answer(request, TRANSFER_ERROR, handle)
        answer.headers["Cache-Control"] = "no-store"
        return answer
