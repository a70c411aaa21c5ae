"""A client of the management API, as the commands and the demo use it."""

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Final, Self

import httpx

from connector_spi.errors import PermanentError

CONTEXT: Final = {"@vocab": "https://w3id.org/edc/v0.0.1/ns/"}
PROTOCOL: Final = "dataspace-protocol-http:2025-1"
ENDED: Final = frozenset({"COMPLETED", "TERMINATED", "DEPROVISIONING", "DEPROVISIONED"})
_ACCEPTED: Final = 300
_CATALOG: Final = "/v3/catalog/request"


class ManagementError(PermanentError):
    """The management API refused, or what was asked of it ended badly (then `status` is 0)."""

    code = "Management"
    cause = "the management API refused, or what was asked of it ended badly"
    remedy = (
        "The message holds the connector's reason. 401: set CONNECTOR_API_KEY to the key under "
        "`management.api_key_alias`."
    )

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class UnreachableError(ManagementError):
    """The management API did not answer, or what answered is none."""

    code = "Unreachable"
    cause = "nothing answered at the address of the management API, or something else did"
    remedy = (
        "Start it with `connector run --config FILE`, and compare CONNECTOR_URL (path included) with "
        "`management.host`, `management.port` and `management.path`."
    )


class ManagementClient:
    """Calls one connector's management API.

    `url` includes the base path, such as `http://127.0.0.1:19193/management`. Every method raises ManagementError.
    """

    def __init__(self, url: str, api_key: str, *, call_seconds: float = 30) -> None:
        headers = {"X-Api-Key": api_key} if api_key else {}
        self._http = httpx.AsyncClient(base_url=url.rstrip("/"), headers=headers, timeout=call_seconds, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """One request; returns the answer's JSON, or None when it has none."""
        answer, _ = await self._answer(method, path, body)
        return answer

    async def _answer(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[Any, httpx.Response]:
        """The answer's JSON, and the answer."""
        try:
            response = await self._http.request(method, path, json=body)
        except httpx.TransportError as error:
            text = f"The connector at {self._http.base_url} cannot be reached ({type(error).__name__})."
            raise UnreachableError(text, status=0) from error
        if response.status_code >= _ACCEPTED:
            raise ManagementError(_problem(response), status=response.status_code)
        try:
            return (response.json() if response.content else None), response
        except ValueError:
            text = f"What answers at {self._http.base_url} is no management API. Is its path missing in the address?"
            raise UnreachableError(text, status=response.status_code) from None

    async def create(self, collection: str, body: dict[str, Any]) -> str:
        """Create an object of a v3 collection; returns its id."""
        answer = await self.call("POST", f"/v3/{collection}", {"@context": CONTEXT, **body})
        return str(answer["@id"])

    async def catalog(self, address: str, participant_id: str) -> dict[str, Any]:
        """The counterparty's catalog, as it came: as many datasets as it gives at once."""
        catalog, _ = await self.catalog_page(address, participant_id)
        return catalog

    async def catalog_page(
        self, address: str, participant_id: str, *, limit: int | None = None, continuation: str = ""
    ) -> tuple[dict[str, Any], str]:
        """One page of the counterparty's catalog, and what continues it; empty: nothing. `limit`: of datasets."""
        body = {"counterPartyAddress": address, "counterPartyId": participant_id, "protocol": PROTOCOL}
        query = {"querySpec": {"limit": limit}} if limit else {}
        path = f"{_CATALOG}?{continuation}" if continuation else _CATALOG
        catalog, response = await self._answer("POST", path, {"@context": CONTEXT, **body, **query})
        following = httpx.URL(response.links.get("next", {}).get("url", "")).query.decode()
        return catalog, following

    async def catalog_pages(
        self, address: str, participant_id: str, *, limit: int | None = None
    ) -> AsyncIterator[dict[str, Any]]:
        """The counterparty's whole catalog, page after page. `limit`: datasets in a page."""
        catalog, following = await self.catalog_page(address, participant_id, limit=limit)
        yield catalog
        while following:
            catalog, following = await self.catalog_page(address, participant_id, limit=limit, continuation=following)
            yield catalog

    async def negotiate(
        self, address: str, participant_id: str, asset_id: str, offer: dict[str, Any], *, wait_seconds: float
    ) -> str:
        """Negotiate the offer of a catalog and wait for the end; returns the agreement's id."""
        policy = {
            "@context": "http://www.w3.org/ns/odrl.jsonld",
            **offer,
            "@type": "Offer",
            "assigner": participant_id,
            "target": asset_id,
        }
        body = {"counterPartyAddress": address, "counterPartyId": participant_id, "protocol": PROTOCOL}
        negotiation_id = await self.create("contractnegotiations", {**body, "policy": policy})
        negotiation = await self.settled_negotiation(negotiation_id, wait_seconds=wait_seconds)
        if negotiation["state"] == "FINALIZED":
            return str(negotiation["contractAgreementId"])
        if negotiation["state"] == "TERMINATED":
            reason = negotiation.get("errorDetail", "no reason was given")
            raise ManagementError(f"The negotiation was terminated: {reason}", status=0)
        text = f"The provider offers other terms: look at the negotiation {negotiation_id}, and accept or end it."
        raise ManagementError(text, status=0)

    async def negotiation(self, negotiation_id: str) -> dict[str, Any]:
        """The contract negotiation, with the terms on the table."""
        negotiation: dict[str, Any] = await self.call("GET", f"/v3/contractnegotiations/{negotiation_id}")
        return negotiation

    async def settled_negotiation(
        self, negotiation_id: str, *, wait_seconds: float, decided: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """The negotiation once it has ended, or waits for a decision of ours.

        `decided`: as it was when we decided the last time; a decision takes a moment to be carried out.
        """
        before = decided["stateTimestamp"] if decided else None
        try:
            async with asyncio.timeout(wait_seconds):
                while True:
                    negotiation = await self.negotiation(negotiation_id)
                    waits = negotiation.get("pending") and negotiation.get("stateTimestamp") != before
                    if negotiation["state"] in {"FINALIZED", "TERMINATED"} or waits:
                        return negotiation
                    await asyncio.sleep(0.1)
        except TimeoutError:
            text = f"The negotiation {negotiation_id} did not end within {wait_seconds:g} seconds."
            raise ManagementError(text, status=0) from None

    async def decide(self, negotiation_id: str, verb: str, body: dict[str, Any] | None = None) -> None:
        """Decide about a negotiation: accept, agree, verify, finalize, request, offer or terminate."""
        await self.call("POST", f"/v3/contractnegotiations/{negotiation_id}/{verb}", body)

    async def transfer(self, process_id: str) -> dict[str, Any]:
        """The transfer process."""
        process: dict[str, Any] = await self.call("GET", f"/v3/transferprocesses/{process_id}")
        return process

    async def transfer_state(self, process_id: str) -> str:
        """The state of the transfer process, as the polling endpoint tells it."""
        return str((await self.call("GET", f"/v3/transferprocesses/{process_id}/state"))["state"])

    async def data_address(self, process_id: str) -> dict[str, Any]:
        """Where the data of a running pull is fetched, secrets included."""
        address: dict[str, Any] = await self.call("GET", f"/v3/edrs/{process_id}/dataaddress")
        return address

    async def complete(self, process_id: str) -> None:
        """End a running pull, whose data was fetched."""
        await self.call("POST", f"/v3/transferprocesses/{process_id}/complete")

    async def deprovision(self, process_id: str, *, wait_seconds: float) -> None:
        """Ask to remove what the transfer provisioned, and wait until it is gone."""
        await self.call("POST", f"/v3/transferprocesses/{process_id}/deprovision")
        try:
            async with asyncio.timeout(wait_seconds):
                while await self.transfer_state(process_id) != "DEPROVISIONED":  # noqa: ASYNC110 - polls a remote API, which has no event to wait for
                    await asyncio.sleep(0.1)
        except TimeoutError:
            text = f"The transfer {process_id} was not deprovisioned within {wait_seconds:g} seconds."
            raise ManagementError(text, status=0) from None


def offers_of(catalog: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Asset id -> its first offer."""
    datasets = catalog.get("dataset") or []
    datasets = datasets if isinstance(datasets, list) else [datasets]
    return {str(dataset["@id"]): dataset["hasPolicy"][0] for dataset in datasets if dataset.get("hasPolicy")}


def _problem(response: httpx.Response) -> str:
    try:
        details = response.json()
    except ValueError:
        details = []
    texts = [_told(detail) for detail in details if isinstance(detail, dict)] if isinstance(details, list) else []
    return "; ".join(texts) or f"The connector answered {response.status_code}."


def _told(detail: dict[str, Any]) -> str:
    return " ".join(str(part) for part in (detail.get("message"), detail.get("remedy")) if part)
