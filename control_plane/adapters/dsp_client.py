"""DataspaceClient over HTTPS: the sending side of the Dataspace Protocol 2025-1."""

import asyncio
import functools
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote
from uuid import uuid4

import httpx
from pydantic import ValidationError

from connector_spi.data_address import EDC_NAMESPACE, DataAddress, DataAddressMessage, EndpointProperty
from connector_spi.errors import ForbiddenAddressError, InvalidInputError, PeerRefusedError, PeerUnavailableError
from connector_spi.json_body import parsed_object
from connector_spi.log_context import redacted
from connector_spi.signaling import DataFlowProgress
from control_plane.adapters.catalog_links import CATALOG_PATH, next_page
from control_plane.adapters.http_destination_policy import HTTP_DATA
from control_plane.adapters.version_directory import VersionDirectory
from control_plane.catalog_filter import written_filter
from control_plane.credential_messages import CredentialRenewalAnswer, renewal_request
from control_plane.domain.contract_negotiation import ContractNegotiation, NegotiationType
from control_plane.domain.participant import Counterparty
from control_plane.domain.query import QuerySpec
from control_plane.domain.transfer_process import TransferError, TransferProcess, TransferProcessType
from control_plane.dsp_messages import ProcessAnswer, agreement_body, message, odrl
from control_plane.ports.counterparty_identity import CounterpartyIdentity
from control_plane.ports.dataspace_client import CatalogAnswer
from outbound_http.guarded_client import (
    CATALOG_MAX_BYTES,
    RESPONSE_MAX_BYTES,
    ResponseTooLargeError,
    read_limited,
)

_RETRYABLE: Final = frozenset({408, 425, 429})
_UNAUTHORIZED: Final = 401
_NOT_IMPLEMENTED: Final = 501
_REASON_SHOWN: Final = 500
_PLAIN_NAMES: Final = (
    "authorization",
    "authType",
    "refreshToken",
    "expiresIn",
    "refreshEndpoint",
)
"""Properties that the specifications name without a namespace."""


class DspClient:
    """Posts messages to counterparties, each with a token that proves who sends it."""

    def __init__(
        self,
        *,
        http: httpx.AsyncClient,
        identity: CounterpartyIdentity,
        callback_address: str,
        call_seconds: float,
        versions: VersionDirectory | None = None,
    ) -> None:
        """`callback_address`: this connector's own base address, with the version path.

        `call_seconds`: limit of one call, however slowly its answer trickles in.
        `versions`: finds the base address of a counterparty; None: every address is one.
        """
        self._http = http
        self._call_seconds = call_seconds
        self._identity = identity
        self._callback_address = callback_address
        self._versions = versions

    async def request_catalog(
        self, counterparty: Counterparty, query: QuerySpec | None = None, continuation: str | None = None
    ) -> CatalogAnswer:
        """POST catalog/request, or what a link of an earlier answer names."""
        path = continuation or CATALOG_PATH
        body = message("CatalogRequestMessage", filter=written_filter(query) if query else None)
        try:
            response, content = await self._exchange("POST", counterparty, path, body, max_bytes=CATALOG_MAX_BYTES)
        except ResponseTooLargeError as error:
            text = f"The catalog of {counterparty.id!r} is larger than {CATALOG_MAX_BYTES} bytes: ask with a limit."
            raise ResponseTooLargeError(text) from error
        return CatalogAnswer(_object(content), len(content), next_page(response, path))

    async def request_dataset(self, counterparty: Counterparty, dataset_id: str) -> dict[str, Any]:
        """GET catalog/datasets/{id}."""
        return await self._call("GET", counterparty, f"catalog/datasets/{_segment(dataset_id)}")

    async def request_contract(self, negotiation: ContractNegotiation) -> str:
        """POST negotiations/request."""
        body = message(
            "ContractRequestMessage",
            message_id=negotiation.message_id,
            consumerPid=negotiation.id,
            callbackAddress=self._callback_address,
            offer=_offer(negotiation),
        )
        answer = await self._call("POST", _peer(negotiation), "negotiations/request", body)
        return _process_answer(answer).provider_pid

    async def send_counter_request(self, negotiation: ContractNegotiation) -> None:
        """POST negotiations/{providerPid}/request."""
        await self._tell(negotiation, "ContractRequestMessage", "request", offer=_offer(negotiation))

    async def offer_contract(self, negotiation: ContractNegotiation) -> str:
        """POST negotiations/offers."""
        body = message(
            "ContractOfferMessage",
            message_id=negotiation.message_id,
            providerPid=negotiation.id,
            callbackAddress=self._callback_address,
            offer=_offer(negotiation),
        )
        answer = await self._call("POST", _peer(negotiation), "negotiations/offers", body)
        return _process_answer(answer).consumer_pid

    async def send_counter_offer(self, negotiation: ContractNegotiation) -> None:
        """POST negotiations/{consumerPid}/offers."""
        await self._tell(negotiation, "ContractOfferMessage", "offers", offer=_offer(negotiation))

    async def send_acceptance(self, negotiation: ContractNegotiation) -> None:
        """POST negotiations/{providerPid}/events."""
        await self._tell(negotiation, "ContractNegotiationEventMessage", "events", eventType="ACCEPTED")

    async def send_agreement(self, negotiation: ContractNegotiation) -> None:
        """POST negotiations/{consumerPid}/agreement."""
        agreement = negotiation.agreement
        if agreement is None:
            raise PeerRefusedError("There is no agreement to send.", status=0)
        body = agreement_body(agreement)
        await self._tell(negotiation, "ContractAgreementMessage", "agreement", agreement=body)

    async def send_verification(self, negotiation: ContractNegotiation) -> None:
        """POST negotiations/{providerPid}/agreement/verification."""
        await self._tell(negotiation, "ContractAgreementVerificationMessage", "agreement/verification")

    async def send_finalization(self, negotiation: ContractNegotiation) -> None:
        """POST negotiations/{consumerPid}/events."""
        await self._tell(negotiation, "ContractNegotiationEventMessage", "events", eventType="FINALIZED")

    async def terminate_negotiation(self, negotiation: ContractNegotiation) -> None:
        """POST negotiations/{pid}/termination."""
        code, reason = negotiation.error_code or "Terminated", negotiation.error_detail
        await self._tell(
            negotiation,
            "ContractNegotiationTerminationMessage",
            "termination",
            code=code,
            reason=[reason] if reason else None,
        )

    async def fetch_negotiation_state(self, negotiation: ContractNegotiation) -> str:
        """GET negotiations/{pid}."""
        path = f"negotiations/{_segment(negotiation.correlation_id or '')}"
        answer = await self._call("GET", _peer(negotiation), path)
        try:
            return ProcessAnswer.model_validate(answer).state
        except ValidationError:
            return ""

    async def request_transfer(self, process: TransferProcess, destination: DataAddress | None) -> str:
        """POST transfers/request."""
        body = message(
            "TransferRequestMessage",
            message_id=process.message_id,
            consumerPid=process.id,
            agreementId=process.contract_id,
            format=process.transfer_type,
            callbackAddress=self._callback_address,
            dataAddress=_wire(_written_to(destination)) if destination else None,
        )
        answer = await self._call("POST", _peer(process), "transfers/request", body)
        return _process_answer(answer).provider_pid

    async def start_transfer(self, process: TransferProcess, served_at: DataAddress | None = None) -> None:
        """POST transfers/{pid}/start."""
        address = _wire(_served_at(served_at)) if served_at else None
        await self._tell(process, "TransferStartMessage", "start", dataAddress=address)

    async def complete_transfer(self, process: TransferProcess) -> None:
        """POST transfers/{pid}/completion."""
        await self._tell(process, "TransferCompletionMessage", "completion")

    async def suspend_transfer(self, process: TransferProcess) -> None:
        """POST transfers/{pid}/suspension; with the reason, where there is one."""
        error = process.error
        code, reason = (error.code, [error.message]) if error else (None, None)
        await self._tell(process, "TransferSuspensionMessage", "suspension", code=code, reason=reason)

    async def terminate_transfer(self, process: TransferProcess, error: TransferError) -> None:
        """POST transfers/{pid}/termination."""
        await self._tell(process, "TransferTerminationMessage", "termination", code=error.code, reason=[error.message])

    async def renew_credential(self, process: TransferProcess) -> str:
        """POST transfers/{consumerPid}/credential; this project's extension."""
        consumer_pid = process.correlation_id or ""
        body = renewal_request(message_id=str(uuid4()), consumer_pid=consumer_pid, provider_pid=process.id)
        answer = await self._call("POST", _peer(process), f"transfers/{_segment(consumer_pid)}/credential", body)
        try:
            renewed = CredentialRenewalAnswer.model_validate(answer)
        except ValidationError:
            raise PeerUnavailableError("The counterparty's answer holds no credential.") from None
        if (renewed.consumer_pid, renewed.provider_pid) != (consumer_pid, process.id):
            raise PeerUnavailableError("The counterparty's answer is about another transfer.")
        return renewed.secret

    async def fetch_state(self, process: TransferProcess) -> str:
        """GET transfers/{pid}."""
        return (await self._fetch(process)).state

    async def fetch_progress(self, process: TransferProcess) -> DataFlowProgress | None:
        """GET transfers/{pid}; the progress is this project's extension of the answer."""
        progress = (await self._fetch(process)).progress
        try:
            return None if progress is None else DataFlowProgress.model_validate(progress)
        except ValidationError as error:
            raise PeerUnavailableError("The counterparty's answer tells a progress that cannot be read.") from error

    async def _fetch(self, process: TransferProcess) -> ProcessAnswer:
        path = f"transfers/{_segment(process.correlation_id or '')}"
        return _process_answer(await self._call("GET", _peer(process), path))

    async def _tell(
        self, entity: ContractNegotiation | TransferProcess, message_type: str, action: str, **members: Any
    ) -> None:
        consumer = entity.type in {NegotiationType.CONSUMER, TransferProcessType.CONSUMER}
        correlation_id = entity.correlation_id or ""
        consumer_pid, provider_pid = (entity.id, correlation_id) if consumer else (correlation_id, entity.id)
        body = message(
            message_type,
            message_id=entity.message_id,
            consumerPid=consumer_pid,
            providerPid=provider_pid,
            **members,
        )
        kind = "transfers" if isinstance(entity, TransferProcess) else "negotiations"
        await self._call("POST", _peer(entity), f"{kind}/{_segment(correlation_id)}/{action}", body)

    async def _call(
        self,
        method: str,
        counterparty: Counterparty,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        max_bytes: int = RESPONSE_MAX_BYTES,
    ) -> dict[str, Any]:
        _, content = await self._exchange(method, counterparty, path, body, max_bytes=max_bytes)
        return _object(content)

    async def _exchange(
        self, method: str, counterparty: Counterparty, path: str, body: dict[str, Any] | None, *, max_bytes: int
    ) -> tuple[httpx.Response, bytes]:
        """The counterparty's answer, which is no error."""
        if self._versions is not None and not counterparty.called_back:
            base = await self._versions.base_address(counterparty.address)
            counterparty = replace(counterparty, address=base)
        authorization = await self._identity.authorization_for(counterparty)
        request = functools.partial(self._answer, method, counterparty, path, body, max_bytes=max_bytes)
        response, content = await request(authorization=authorization)
        if response.status_code == _UNAUTHORIZED and self._identity.refused(counterparty, authorization):
            authorization = await self._identity.authorization_for(counterparty)
            response, content = await request(authorization=authorization)
        _check(response, content, counterparty.id)
        return response, content

    async def _answer(
        self,
        method: str,
        counterparty: Counterparty,
        path: str,
        body: dict[str, Any] | None,
        *,
        authorization: str,
        max_bytes: int,
    ) -> tuple[httpx.Response, bytes]:
        url = f"{counterparty.address.rstrip('/')}/{path}"
        headers = {"Authorization": authorization}
        try:
            async with (
                asyncio.timeout(self._call_seconds),
                self._http.stream(method, url, json=body, headers=headers) as response,
            ):
                return response, await read_limited(response, max_bytes=max_bytes)
        except (httpx.RequestError, TimeoutError) as error:
            what = type(error).__name__
            raise PeerUnavailableError(f"The counterparty {counterparty.id!r} cannot be reached ({what}).") from error
        except httpx.InvalidURL as error:
            raise ForbiddenAddressError(f"The address of the counterparty {counterparty.id!r} is not a URL.") from error


def _offer(negotiation: ContractNegotiation) -> dict[str, Any]:
    own, other = negotiation.participant_id, negotiation.counter_party_id
    provider, consumer = (other, own) if negotiation.type is NegotiationType.CONSUMER else (own, other)
    return odrl(
        "Offer",
        negotiation.policy,
        policy_id=negotiation.offer_id,
        target=negotiation.asset_id,
        assigner=provider,
        assignee=consumer,
    )


def _wire(address: DataAddressMessage) -> dict[str, Any]:
    return address.model_dump(mode="json", by_alias=True, exclude_none=True)


def _written_to(address: DataAddress) -> DataAddressMessage:
    """A push's address. EDC (v0.14.0) refuses one over HTTP without its own words for where and with which header."""
    endpoint, token = address.get("endpoint"), address.get("authorization")
    if address.type != HTTP_DATA or not endpoint:
        return DataAddressMessage.of(address)
    of_edc = {"baseUrl": endpoint}
    if token:
        of_edc["authKey"] = address.get("authHeader", "Authorization")
        of_edc["authCode"] = f"Bearer {token}" if address.get("authType").lower() == "bearer" else token
    return DataAddressMessage.of(address.with_properties(**of_edc))


def _served_at(address: DataAddress) -> DataAddressMessage:
    """A pull's address, for those who read the specification's names and for those who read EDC's.

    EDC (v0.18.0) passes over `endpoint` where the specification has it, and looks among the properties.
    """
    message = DataAddressMessage.of(address)
    named = list(message.endpoint_properties or [])
    if message.endpoint is not None:
        named.append(EndpointProperty(name=f"{EDC_NAMESPACE}endpoint", value=message.endpoint))
        named.append(EndpointProperty(name=f"{EDC_NAMESPACE}endpointType", value=address.type))
    named += [EndpointProperty(name=name, value=address.get(name)) for name in _PLAIN_NAMES if address.get(name)]
    return message.model_copy(update={"endpoint_properties": named or None})


def _check(response: httpx.Response, content: bytes, peer: str) -> None:
    status = response.status_code
    if response.is_success:
        return
    answer = _object(content)
    said = answer.get("reason") or answer.get("message") or ""
    said = "; ".join(str(r) for r in said) if isinstance(said, list) else str(said)
    text = f"The counterparty {peer!r} answered {status}" + (f": {redacted(said)[:_REASON_SHOWN]}" if said else ".")
    if status in _RETRYABLE or (response.is_server_error and status != _NOT_IMPLEMENTED):
        seconds = response.headers.get("Retry-After", "")
        raise PeerUnavailableError(text, retry_after_seconds=float(seconds) if seconds.isdecimal() else None)
    raise PeerRefusedError(text, status=status)


def _object(content: bytes) -> dict[str, Any]:
    """The answer's JSON object; an empty or foreign body counts as an empty one."""
    try:
        return parsed_object(content)
    except InvalidInputError:
        return {}


def _process_answer(answer: dict[str, Any]) -> ProcessAnswer:
    try:
        return ProcessAnswer.model_validate(answer)
    except ValidationError as error:
        raise PeerUnavailableError("The counterparty's answer lacks providerPid or consumerPid.") from error


def _peer(entity: ContractNegotiation | TransferProcess) -> Counterparty:
    # Of a negotiation the address may be a client's in either role, for a provider may begin with an offer.
    called_back = entity.type is TransferProcessType.PROVIDER
    return Counterparty(id=entity.counter_party_id, address=entity.counter_party_address, called_back=called_back)


def _segment(text: str) -> str:
    """One segment of a path, whatever the counterparty put into its ids."""
    return quote(text, safe="")
