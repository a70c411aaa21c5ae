"""Negotiation endpoints, of the provider and of the consumer: one table, for only the process's role differs."""

from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from connector_spi.errors import InvalidInputError
from connector_spi.log_context import redacted
from control_plane.domain.contract_negotiation import ContractNegotiation, NegotiationEvent, NegotiationType
from control_plane.domain.participant import Participant
from control_plane.dsp_messages import (
    PROTOCOL,
    ContractAgreementMessage,
    ContractNegotiationEventMessage,
    ContractOfferMessage,
    ContractRequestMessage,
    OdrlPolicy,
    PidsMessage,
    short_term,
)
from control_plane.protocol_api.exchange import NEGOTIATION_ERROR, Exchange, read_message
from control_plane.protocol_api.shown_negotiation import shown
from control_plane.services.negotiation_protocol_service import (
    IncomingAgreement,
    IncomingOffer,
    IncomingOpening,
    NegotiationProtocolService,
)

_EVENTS: Final = {"ACCEPTED": NegotiationEvent.ACCEPT, "FINALIZED": NegotiationEvent.FINALIZE}


class NegotiationEndpoints:
    """/negotiations."""

    def __init__(self, exchange: Exchange, service: NegotiationProtocolService) -> None:
        self._exchange = exchange
        self._service = service

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(prefix="/negotiations")
        router.add_api_route("/request", self.open_by_request, methods=["POST"])
        router.add_api_route("/offers", self.open_by_offer, methods=["POST"])
        router.add_api_route("/{pid}", self.get_negotiation, methods=["GET"])
        router.add_api_route("/{pid}/request", self.request_again, methods=["POST"])
        router.add_api_route("/{pid}/offers", self.offer, methods=["POST"])
        router.add_api_route("/{pid}/agreement", self.agree, methods=["POST"])
        router.add_api_route("/{pid}/agreement/verification", self.verify, methods=["POST"])
        router.add_api_route("/{pid}/events", self.accept_or_finalize, methods=["POST"])
        router.add_api_route("/{pid}/termination", self.terminate, methods=["POST"])
        return router

    async def get_negotiation(self, request: Request, pid: str) -> JSONResponse:
        """The negotiation as the protocol shows it."""

        async def handle(caller: Participant) -> dict[str, Any]:
            return shown(await self._service.shown(caller.id, pid))

        return await self._exchange.answer(request, NEGOTIATION_ERROR, handle)

    async def open_by_request(self, request: Request) -> JSONResponse:
        """A consumer asks for a contract."""

        async def handle(caller: Participant) -> dict[str, Any]:
            body = await read_message(request, ContractRequestMessage, "ContractRequestMessage")
            _refuse_known("providerPid", body.provider_pid)
            opening = _opening(body.consumer_pid, body.callback_address, body.offer)
            return shown(await self._service.on_request(caller, opening))

        return await self._exchange.answer(request, NEGOTIATION_ERROR, handle, status=201)

    async def open_by_offer(self, request: Request) -> JSONResponse:
        """A provider offers a contract unasked."""

        async def handle(caller: Participant) -> dict[str, Any]:
            body = await read_message(request, ContractOfferMessage, "ContractOfferMessage")
            _refuse_known("consumerPid", body.consumer_pid)
            opening = _opening(body.provider_pid, body.callback_address, body.offer)
            return shown(await self._service.on_offer(caller, opening))

        return await self._exchange.answer(request, NEGOTIATION_ERROR, handle, status=201)

    async def request_again(self, request: Request, pid: str) -> JSONResponse:
        """The consumer asks for other terms than were offered."""

        async def handle(caller: Participant) -> dict[str, Any]:
            body = await read_message(request, ContractRequestMessage, "ContractRequestMessage")
            negotiation = await self._found(caller, pid, body.consumer_pid, body.provider_pid)
            await self._service.on_proposal(
                caller, negotiation, NegotiationEvent.REQUEST, _incoming(body.offer), body.id
            )
            return {}

        return await self._exchange.answer(request, NEGOTIATION_ERROR, handle)

    async def offer(self, request: Request, pid: str) -> JSONResponse:
        """The provider offers other terms than were asked for."""

        async def handle(caller: Participant) -> dict[str, Any]:
            body = await read_message(request, ContractOfferMessage, "ContractOfferMessage")
            negotiation = await self._found(caller, pid, body.consumer_pid, body.provider_pid)
            await self._service.on_proposal(caller, negotiation, NegotiationEvent.OFFER, _incoming(body.offer), body.id)
            return {}

        return await self._exchange.answer(request, NEGOTIATION_ERROR, handle)

    async def agree(self, request: Request, pid: str) -> JSONResponse:
        """The provider agrees."""

        async def handle(caller: Participant) -> dict[str, Any]:
            body = await read_message(request, ContractAgreementMessage, "ContractAgreementMessage")
            negotiation = await self._found(caller, pid, body.consumer_pid, body.provider_pid)
            agreement = IncomingAgreement(
                id=body.agreement.id,
                target=body.agreement.target,
                assigner=body.agreement.assigner,
                assignee=body.agreement.assignee,
                timestamp=body.agreement.timestamp,
                policy=body.agreement.policy(),
            )
            await self._service.on_agreement(caller, negotiation, agreement, body.id)
            return {}

        return await self._exchange.answer(request, NEGOTIATION_ERROR, handle)

    async def verify(self, request: Request, pid: str) -> JSONResponse:
        """The consumer verified the agreement."""
        return await self._receive(request, pid, NegotiationEvent.VERIFY, "ContractAgreementVerificationMessage")

    async def accept_or_finalize(self, request: Request, pid: str) -> JSONResponse:
        """The consumer accepted the offer, or the provider finalised."""

        async def handle(caller: Participant) -> dict[str, Any]:
            body = await read_message(request, ContractNegotiationEventMessage, "ContractNegotiationEventMessage")
            event = _EVENTS.get(short_term(body.event_type))
            if event is None:
                raise InvalidInputError(
                    field="eventType", value=body.event_type, problem="is unknown", remedy="ACCEPTED or FINALIZED"
                )
            negotiation = await self._found(caller, pid, body.consumer_pid, body.provider_pid)
            await self._service.on_event(caller, negotiation, event, message_id=body.id, payload={})
            return {}

        return await self._exchange.answer(request, NEGOTIATION_ERROR, handle)

    async def terminate(self, request: Request, pid: str) -> JSONResponse:
        """The counterparty ends the negotiation."""
        event = NegotiationEvent.TERMINATE_BY_COUNTERPARTY
        return await self._receive(request, pid, event, "ContractNegotiationTerminationMessage")

    async def _receive(self, request: Request, pid: str, event: NegotiationEvent, message_type: str) -> JSONResponse:
        async def handle(caller: Participant) -> dict[str, Any]:
            body = await read_message(request, PidsMessage, message_type)
            negotiation = await self._found(caller, pid, body.consumer_pid, body.provider_pid)
            payload = {"code": redacted(body.code), "message": redacted(body.reason_text())}
            await self._service.on_event(caller, negotiation, event, message_id=body.id, payload=payload)
            return {}

        return await self._exchange.answer(request, NEGOTIATION_ERROR, handle)

    async def _found(
        self, caller: Participant, pid: str, consumer_pid: str | None, provider_pid: str | None
    ) -> ContractNegotiation:
        """The caller's own negotiation, if the message names it as both sides do."""
        negotiation = await self._service.get(caller.id, pid)
        pids = {"consumerPid": consumer_pid, "providerPid": provider_pid}
        own, other = ("consumerPid", "providerPid")
        if negotiation.type is NegotiationType.PROVIDER:
            own, other = other, own
        if pids[own] != pid:
            raise InvalidInputError(field=own, value=pids[own], problem="is not the negotiation in the path")
        if negotiation.correlation_id is not None and pids[other] != negotiation.correlation_id:
            raise InvalidInputError(
                field=other, value=pids[other], problem="is not the counterpart of this negotiation"
            )
        return negotiation


def _refuse_known(field: str, pid: str | None) -> None:
    """A message that names this side's process belongs to a running negotiation."""
    if pid is not None:
        raise InvalidInputError(
            field=field,
            value=pid,
            problem="is not expected here: a negotiation that runs has a path of its own",
            remedy="Send callbackAddress in its place, or send the message to the negotiation.",
        )


def _opening(pid: str, callback_address: str | None, offer: OdrlPolicy) -> IncomingOpening:
    if not callback_address:
        raise InvalidInputError(field="callbackAddress", value=callback_address, problem="is required")
    return IncomingOpening(pid=pid, callback_address=callback_address, protocol=PROTOCOL, offer=_incoming(offer))


def _incoming(offer: OdrlPolicy) -> IncomingOffer:
    return IncomingOffer(id=offer.id, target=offer.target, policy=offer.policy())
