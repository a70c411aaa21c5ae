"""Negotiation endpoints, of the provider and of the consumer: one table, for only the process's role differs."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from connector_spi.errors import InvalidInputError
from connector_spi.log_context import redacted
from control_plane.domain.contract_negotiation import (
    ContractNegotiation,
    NegotiationEvent,
    NegotiationState,
    NegotiationType,
)
from control_plane.domain.participant import Participant
from control_plane.dsp_messages import (
    PROTOCOL,
    ContractAgreementMessage,
    ContractNegotiationEventMessage,
    ContractRequestMessage,
    PidsMessage,
    message,
)
from control_plane.protocol_api.exchange import NEGOTIATION_ERROR, Exchange, read_message
from control_plane.services.negotiation_protocol_service import (
    IncomingAgreement,
    IncomingContractRequest,
    NegotiationProtocolService,
)

_S = NegotiationState
_SHOWN = {
    _S.INITIAL: "REQUESTED",
    _S.REQUESTING: "REQUESTED",
    _S.REQUESTED: "REQUESTED",
    _S.OFFERED: "OFFERED",
    _S.ACCEPTING: "OFFERED",
    _S.ACCEPTED: "ACCEPTED",
    # While a message is on its way, the state before it holds: it changes with the counterparty's answer.
    _S.AGREEING: "REQUESTED",
    _S.AGREED: "AGREED",
    _S.VERIFYING: "AGREED",
    _S.VERIFIED: "VERIFIED",
    _S.FINALIZING: "VERIFIED",
    _S.FINALIZED: "FINALIZED",
    _S.TERMINATING: "TERMINATED",
    _S.TERMINATED: "TERMINATED",
}


class NegotiationEndpoints:
    """/negotiations."""

    def __init__(self, exchange: Exchange, service: NegotiationProtocolService) -> None:
        self._exchange = exchange
        self._service = service

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(prefix="/negotiations")
        router.add_api_route("/request", self.request_contract, methods=["POST"])
        router.add_api_route("/{pid}", self.get_negotiation, methods=["GET"])
        router.add_api_route("/{pid}/agreement", self.agree, methods=["POST"])
        router.add_api_route("/{pid}/agreement/verification", self.verify, methods=["POST"])
        router.add_api_route("/{pid}/events", self.finalize, methods=["POST"])
        router.add_api_route("/{pid}/termination", self.terminate, methods=["POST"])
        return router

    async def get_negotiation(self, request: Request, pid: str) -> JSONResponse:
        """The negotiation as the protocol shows it."""

        async def handle(caller: Participant) -> dict[str, Any]:
            return _shown(await self._service.get(caller.id, pid))

        return await self._exchange.answer(request, NEGOTIATION_ERROR, handle)

    async def request_contract(self, request: Request) -> JSONResponse:
        """A consumer asks for a contract."""

        async def handle(caller: Participant) -> dict[str, Any]:
            body = await read_message(request, ContractRequestMessage, "ContractRequestMessage")
            if body.callback_address is None:
                raise InvalidInputError(field="callbackAddress", value=None, problem="is required")
            incoming = IncomingContractRequest(
                consumer_pid=body.consumer_pid,
                callback_address=body.callback_address,
                protocol=PROTOCOL,
                offer_id=body.offer.id,
                target=body.offer.target,
                policy=body.offer.policy(),
            )
            return _shown(await self._service.on_request(caller, incoming))

        return await self._exchange.answer(request, NEGOTIATION_ERROR, handle, status=201)

    async def agree(self, request: Request, pid: str) -> JSONResponse:
        """The provider agrees."""

        async def handle(caller: Participant) -> dict[str, Any]:
            body = await read_message(request, ContractAgreementMessage, "ContractAgreementMessage")
            await self._check_pids(caller.id, pid, body)
            agreement = IncomingAgreement(
                id=body.agreement.id,
                target=body.agreement.target,
                assigner=body.agreement.assigner,
                assignee=body.agreement.assignee,
                timestamp=body.agreement.timestamp,
                policy=body.agreement.policy(),
            )
            await self._service.on_agreement(caller.id, pid, agreement, body.id)
            return {}

        return await self._exchange.answer(request, NEGOTIATION_ERROR, handle)

    async def verify(self, request: Request, pid: str) -> JSONResponse:
        """The consumer verified the agreement."""
        return await self._receive(request, pid, NegotiationEvent.VERIFY, "ContractAgreementVerificationMessage")

    async def terminate(self, request: Request, pid: str) -> JSONResponse:
        """The counterparty ends the negotiation."""
        event = NegotiationEvent.TERMINATE_BY_COUNTERPARTY
        return await self._receive(request, pid, event, "ContractNegotiationTerminationMessage")

    async def finalize(self, request: Request, pid: str) -> JSONResponse:
        """The provider finalised; an ACCEPTED event would answer a counter-offer, which is not made yet."""

        async def handle(caller: Participant) -> dict[str, Any]:
            body = await read_message(request, ContractNegotiationEventMessage, "ContractNegotiationEventMessage")
            if body.event_type.rpartition("/")[2] != "FINALIZED":
                raise InvalidInputError(
                    field="eventType", value=body.event_type, problem="is not possible here", remedy="FINALIZED"
                )
            await self._check_pids(caller.id, pid, body)
            await self._service.on_event(caller.id, pid, NegotiationEvent.FINALIZE, message_id=body.id, payload={})
            return {}

        return await self._exchange.answer(request, NEGOTIATION_ERROR, handle)

    async def _receive(self, request: Request, pid: str, event: NegotiationEvent, message_type: str) -> JSONResponse:
        async def handle(caller: Participant) -> dict[str, Any]:
            body = await read_message(request, PidsMessage, message_type)
            await self._check_pids(caller.id, pid, body)
            payload = {"code": body.code, "message": redacted(body.reason_text())}
            await self._service.on_event(caller.id, pid, event, message_id=body.id, payload=payload)
            return {}

        return await self._exchange.answer(request, NEGOTIATION_ERROR, handle)

    async def _check_pids(self, counter_party_id: str, pid: str, body: PidsMessage) -> None:
        negotiation = await self._service.get(counter_party_id, pid)
        own, other = body.consumer_pid, body.provider_pid
        if negotiation.type is NegotiationType.PROVIDER:
            own, other = other, own
        if own != pid:
            raise InvalidInputError(field="pid", value=own, problem="is not the negotiation in the path")
        if negotiation.correlation_id is not None and other != negotiation.correlation_id:
            raise InvalidInputError(field="pid", value=other, problem="is not the counterpart of this negotiation")


def _shown(negotiation: ContractNegotiation) -> dict[str, Any]:
    own, other = negotiation.id, negotiation.correlation_id or ""
    consumer = negotiation.type is NegotiationType.CONSUMER
    return message(
        "ContractNegotiation",
        message_id=own,
        consumerPid=own if consumer else other,
        providerPid=other if consumer else own,
        state=_SHOWN[negotiation.state],
    )
