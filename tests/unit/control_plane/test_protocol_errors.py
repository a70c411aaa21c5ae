"""Errors of the Dataspace Protocol's receiving side: status, body and processes, whatever went wrong and wherever."""

import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from connector_spi.errors import (
    ConfigurationError,
    ConflictError,
    ConnectorError,
    ForbiddenAddressError,
    InvalidInputError,
    InvalidTransitionError,
    NotFoundError,
    SecretNotFoundError,
    StoreUnavailableError,
    UnauthenticatedError,
    VaultForbiddenError,
    VaultUnavailableError,
)
from connector_spi.json_body import BodyTooLargeError
from control_plane.domain.contract_negotiation import ContractNegotiation, NegotiationType
from control_plane.domain.credential_renewal import RenewalNotNowError, TooManyRenewalsError
from control_plane.domain.participant import Counterparty, Participant
from control_plane.dsp_messages import CONTEXT, PidsMessage
from control_plane.protocol_api.app import create_protocol_app
from control_plane.protocol_api.error_answers import NO_PROCESS
from control_plane.protocol_api.exchange import (
    CATALOG_ERROR,
    NEGOTIATION_ERROR,
    TRANSFER_ERROR,
    Exchange,
    read_message,
)
from entra_identity.errors import IdentityRefusedError
from tests import control_plane_entities as examples

THEM: Final = "did:web:them"
KNOWN: Final = "n-1"
PLANTED: Final = "PLANTED-in-the-error"


class Believing:
    """A CounterpartyIdentity that believes the name in the header."""

    async def authorization_for(self, counterparty: Counterparty) -> str:
        return counterparty.id

    def refused(self, counterparty: Counterparty, authorization: str) -> bool:
        return False

    async def authenticate(self, authorization: str | None) -> Participant:
        if not authorization:
            raise UnauthenticatedError(PLANTED)
        return Participant(id=authorization)


async def find(counter_party_id: str, process_id: str) -> ContractNegotiation:
    """Their negotiation n-1, whose id on their side is theirs-1; n-2 is not answered yet; n-3 cannot be looked up."""
    if process_id == "n-3":
        raise StoreUnavailableError("The database did not answer.")
    if counter_party_id != THEM or process_id not in {KNOWN, "n-2"}:
        raise NotFoundError(kind="ContractNegotiation", object_id=process_id)
    correlation_id = "theirs-1" if process_id == KNOWN else None
    return examples.negotiation(process_id, type=NegotiationType.CONSUMER, correlation_id=correlation_id)


def app_that(fails: Callable[[], BaseException]) -> FastAPI:
    """The protocol's application over routes whose every handler fails once it has read its message."""
    exchange = Exchange(Believing(), {NEGOTIATION_ERROR: find})
    router = APIRouter()

    def route(path: str, method: str, error_type: str) -> None:
        async def endpoint(request: Request) -> JSONResponse:
            async def handle(_caller: Participant) -> dict[str, Any]:
                if method == "POST":
                    await read_message(request, PidsMessage, "TransferStartMessage")
                raise fails()

            return await exchange.answer(request, error_type, handle)

        router.add_api_route(path, endpoint, methods=[method])

    route("/catalog/datasets/{dataset_id:path}", "GET", CATALOG_ERROR)
    route("/negotiations/{pid}", "GET", NEGOTIATION_ERROR)
    route("/negotiations/{pid}/events", "POST", NEGOTIATION_ERROR)
    route("/negotiations/request", "POST", NEGOTIATION_ERROR)
    route("/transfers/{pid}/start", "POST", TRANSFER_ERROR)

    @router.get("/broken")
    async def broken() -> None:
        raise RuntimeError(PLANTED)

    return create_protocol_app(router)


@asynccontextmanager
async def calling(
    fails: Callable[[], BaseException] = lambda: ConflictError("No."),
) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app_that(fails), raise_app_exceptions=False)
    headers = {"Authorization": THEM}
    async with httpx.AsyncClient(transport=transport, base_url="https://us.example/2025-1", headers=headers) as client:
        yield client


def start(**members: Any) -> dict[str, Any]:
    return {"@context": [CONTEXT], "@type": "TransferStartMessage", **members}


ERRORS: Final[list[tuple[ConnectorError, int, str]]] = [
    (InvalidInputError(field="f", value="v", problem="is wrong"), 400, "InvalidInput"),
    (NotFoundError(kind="Thing", object_id="x"), 404, "NotFound"),
    (ConflictError("No."), 400, "Conflict"),
    (InvalidTransitionError(entity_id="x", state="S", event="e"), 400, "InvalidTransition"),
    (ForbiddenAddressError("No."), 400, "ForbiddenAddress"),
    (BodyTooLargeError("No."), 413, "BodyTooLarge"),
    (TooManyRenewalsError("No.", retry_after_seconds=7), 429, "TooManyCredentialRenewals"),
    (RenewalNotNowError("Paused."), 503, "CredentialRenewalNotNow"),
]


@pytest.mark.parametrize(("error", "status", "code"), ERRORS, ids=[code for _, _, code in ERRORS])
async def test_what_the_counterparty_got_wrong_is_told(error: ConnectorError, status: int, code: str) -> None:
    async with calling(lambda: error) as client:
        answer = await client.get(f"negotiations/{KNOWN}")
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/json")
    assert answer.json() == {
        "@context": [CONTEXT],
        "@type": "ContractNegotiationError",
        "providerPid": "theirs-1",
        "consumerPid": KNOWN,
        "code": code,
        "reason": [error.message],
    }


OURS: Final[list[tuple[BaseException, int, str]]] = [
    (StoreUnavailableError(PLANTED, retry_after_seconds=3.2), 503, "StoreUnavailable"),
    (VaultUnavailableError(PLANTED), 503, "VaultUnavailable"),
    (SecretNotFoundError(alias=PLANTED), 500, "InternalError"),
    (VaultForbiddenError(PLANTED), 500, "InternalError"),
    (ConfigurationError(key=PLANTED, problem="is wrong"), 500, "InternalError"),
    (IdentityRefusedError(identity=PLANTED, reason="HTTP status 400"), 500, "InternalError"),
    (RuntimeError(PLANTED), 500, "InternalError"),
    (ExceptionGroup(PLANTED, [ValueError(PLANTED)]), 500, "InternalError"),
    (RecursionError(PLANTED), 500, "InternalError"),
]


@pytest.mark.parametrize(("error", "status", "code"), OURS, ids=[type(error).__name__ for error, _, _ in OURS])
async def test_what_is_our_own_trouble_is_told_without_its_cause(
    error: BaseException, status: int, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        async with calling(lambda: error) as client:
            answer = await client.get(f"negotiations/{KNOWN}")
    body = answer.json()
    assert (answer.status_code, body["@type"], body["code"]) == (status, "ContractNegotiationError", code)
    assert (body["consumerPid"], body["providerPid"], len(body["reason"])) == (KNOWN, "theirs-1", 1)
    assert PLANTED not in answer.text + str(answer.headers)
    assert (answer.headers.get("Retry-After") is not None) == (status == 503)
    if not isinstance(error, ConnectorError):
        assert any(record.exc_info and record.exc_info[1] is error for record in caplog.records)


async def test_how_long_to_wait_is_told_in_whole_seconds() -> None:
    async with calling(lambda: StoreUnavailableError("x", retry_after_seconds=3.2)) as client:
        assert (await client.get("negotiations/x")).headers["Retry-After"] == "4"


PIDS: Final[dict[str, tuple[str, dict[str, Any] | None, tuple[str, str]]]] = {
    "of the process, whatever the message says": (
        f"negotiations/{KNOWN}/events",
        start(consumerPid="a", providerPid="b"),
        (KNOWN, "theirs-1"),
    ),
    "of the process, without a readable message": (f"negotiations/{KNOWN}/events", {"x": 1}, (KNOWN, "theirs-1")),
    "not acknowledged yet": ("negotiations/n-2/events", start(consumerPid="n-2", providerPid="b"), ("n-2", "b")),
    "not acknowledged yet, on GET": ("negotiations/n-2", None, ("n-2", "n-2")),
    "of the message": ("negotiations/x/events", start(consumerPid="a", providerPid="b"), ("a", "b")),
    "of the message, in part": ("negotiations/request", start(consumerPid="a"), ("a", NO_PROCESS)),
    "of a message of another kind": ("negotiations/request", {"consumerPid": "a"}, ("a", NO_PROCESS)),
    "of the path": ("negotiations/x/events", {"consumerPid": 1, "providerPid": ""}, ("x", "x")),
    "of the path, on GET": ("negotiations/x", None, ("x", "x")),
    "when the process cannot be looked up": ("negotiations/n-3", None, ("n-3", "n-3")),
    "where nobody looks": ("transfers/x/start", start(consumerPid="a", providerPid="b"), ("a", "b")),
    "none at all": ("negotiations/request", {}, (NO_PROCESS, NO_PROCESS)),
    "too long": ("negotiations/request", {"consumerPid": "x" * 513}, (NO_PROCESS, NO_PROCESS)),
}


@pytest.mark.parametrize(("path", "message", "pids"), PIDS.values(), ids=PIDS.keys())
async def test_an_error_names_both_processes_as_they_are_else_as_the_caller_does(
    path: str, message: dict[str, Any] | None, pids: tuple[str, str]
) -> None:
    async with calling() as client:
        answer = await client.request("GET" if message is None else "POST", path, json=message)
    assert (answer.json()["consumerPid"], answer.json()["providerPid"]) == pids


@pytest.mark.parametrize("sender", ["did:web:others", ""])
async def test_nobody_else_learns_the_ids_of_a_process(sender: str) -> None:
    async with calling() as client:
        answer = await client.get(f"negotiations/{KNOWN}", headers={"Authorization": sender})
    assert (answer.json()["consumerPid"], answer.json()["providerPid"]) == (KNOWN, KNOWN)
    assert answer.status_code == (400 if sender else 401)
    assert PLANTED not in answer.text
    assert (answer.headers.get("WWW-Authenticate") == "Bearer") is not bool(sender)


UNKNOWN: Final = {
    "GET /2025-1/catalog/x": (404, "CatalogError"),
    "POST /2025-1/negotiations/x/y": (404, "ContractNegotiationError"),
    "POST /2025-1/negotiations//events": (404, "ContractNegotiationError"),
    "POST /2025-1/negotiations/a%2Fb/events": (404, "ContractNegotiationError"),
    "GET /2025-1/transfers/x/y/z": (404, "TransferError"),
    "GET /2025-1/transfersx": (404, "VersionsError"),
    "GET /2024-1/transfers/x": (404, "VersionsError"),
    "GET /": (404, "VersionsError"),
    "POST /2025-1": (404, "VersionsError"),
    "POST /.well-known/dspace-version": (405, "VersionsError"),
    "PUT /2025-1/negotiations/x": (405, "ContractNegotiationError"),
    "OPTIONS /2025-1/negotiations/x": (405, "ContractNegotiationError"),
    "GET /2025-1/transfers/x/start": (405, "TransferError"),
    "POST /2025-1/catalog/datasets/x": (405, "CatalogError"),
}


@pytest.mark.parametrize(("call", "told"), UNKNOWN.items(), ids=UNKNOWN.keys())
async def test_paths_and_methods_that_are_not_served_get_the_protocols_error(call: str, told: tuple[int, str]) -> None:
    method, path = call.split(" ")
    async with calling() as client:
        answer = await client.request(method, f"https://us.example{path}")
    body = answer.json()
    assert (answer.status_code, body["@type"], answer.headers["Content-Type"]) == (*told, "application/json")
    assert (body["@context"], len(body["reason"])) == ([CONTEXT], 1)
    has_pids = told[1] in {"ContractNegotiationError", "TransferError"}
    assert ({"consumerPid", "providerPid"} <= set(body)) == has_pids
    assert ("Allow" in answer.headers) == (answer.status_code == 405)


async def test_a_defect_outside_of_an_exchange_has_the_protocols_form_too(caplog: pytest.LogCaptureFixture) -> None:
    async with calling() as client:
        answer = await client.get("broken")
    assert (answer.status_code, answer.json()["@type"], answer.json()["code"]) == (
        500,
        "VersionsError",
        "InternalError",
    )
    assert PLANTED not in answer.text
    assert any(record.exc_info and PLANTED in str(record.exc_info[1]) for record in caplog.records)


async def test_a_caller_that_goes_away_is_no_defect(caplog: pytest.LogCaptureFixture) -> None:
    async with calling(ClientDisconnect) as client:
        assert (await client.get("negotiations/x")).status_code == 400
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("path", [f"negotiations/{KNOWN}/", "catalog/datasets/a/b/", "negotiations/request/"])
async def test_a_slash_at_the_end_makes_no_difference_and_no_redirect(path: str) -> None:
    async with calling() as client:
        method = "POST" if path.endswith("request/") else "GET"
        answers = [await client.request(method, each, json=start()) for each in (path, path.rstrip("/"))]
    assert [answer.status_code for answer in answers] == [400, 400]
    assert answers[0].json() == answers[1].json()


async def test_an_encoded_slash_at_the_end_of_an_id_stays(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        async with calling() as client:
            await client.get("catalog/datasets/a%2F")
    assert [vars(record)["path"] for record in caplog.records if hasattr(record, "path")] == [
        "/2025-1/catalog/datasets/a/"
    ]


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/ld+json", "application/json; charset=utf-8"])
async def test_the_media_type_of_a_message_does_not_matter(content_type: str | None) -> None:
    """Real connectors and the conformance kit leave it out; a message is what parses as one."""
    body = json.dumps(start(consumerPid="a", providerPid="b")).encode()
    headers = {} if content_type is None else {"Content-Type": content_type}
    async with calling() as client:
        answer = await client.post("transfers/x/start", content=body, headers=headers)
    assert answer.json()["code"] == "Conflict"
