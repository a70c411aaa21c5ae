"""A client of the management API, as the commands and the demo use it."""

import asyncio
from types import TracebackType
from typing import Any, Final, Self

import httpx

from connector_spi.errors import PermanentError

CONTEXT: Final = {"@vocab": "https://w3id.org/edc/v0.0.1/ns/"}
PROTOCOL: Final = "dataspace-protocol-http:2025-1"
ENDED: Final = frozenset({"COMPLETED", "TERMINATED", "DEPROVISIONING", "DEPROVISIONED"})
_ACCEPTED: Final = 300


class ManagementError(PermanentError):
    """The management API refused, or what was asked of it ended badly (then `status` is 0)."""

    code = "Management"

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class UnreachableError(ManagementError):
    """The management API did not answer, or what answered is none."""

    code = "Unreachable"


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
        try:
            response = await self._http.request(method, path, json=body)
        except httpx.TransportError as error:
            text = f"The connector at {self._http.base_url} cannot be reached ({type(error).__name__})."
            raise UnreachableError(text, status=0) from error
        if response.status_code >= _ACCEPTED:
            raise ManagementError(_problem(response), status=response.status_code)
        try:
            return response.json() if response.content else None
        except ValueError:
            text = f"What answers at {self._http.base_url} is no management API. Is its path missing in the address?"
            raise UnreachableError(text, status=response.status_code) from None

    async def create(self, collection: str, body: dict[str, Any]) -> str:
        """Create an object of a v3 collection; returns its id."""
        answer = await self.call("POST", f"/v3/{collection}", {"@context": CONTEXT, **body})
        return str(answer["@id"])

    async def catalog(self, address: str, participant_id: str) -> dict[str, Any]:
        """The counterparty's catalog, as it came."""
        body = {"counterPartyAddress": address, "counterPartyId": participant_id, "protocol": PROTOCOL}
        catalog: dict[str, Any] = await self.call("POST", "/v3/catalog/request", {"@context": CONTEXT, **body})
        return catalog

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
        path = f"/v3/contractnegotiations/{negotiation_id}"
        try:
            async with asyncio.timeout(wait_seconds):
                while True:
                    negotiation = await self.call("GET", path)
                    if negotiation["state"] == "FINALIZED":
                        return str(negotiation["contractAgreementId"])
                    if negotiation["state"] == "TERMINATED":
                        reason = negotiation.get("errorDetail", "no reason was given")
                        raise ManagementError(f"The negotiation was terminated: {reason}", status=0)
                    await asyncio.sleep(0.1)
        except TimeoutError:
            text = f"The negotiation {negotiation_id} did not end within {wait_seconds:g} seconds."
            raise ManagementError(text, status=0) from None

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
    texts = [str(d.get("message")) for d in details if isinstance(d, dict)] if isinstance(details, list) else []
    return "; ".join(texts) or f"The connector answered {response.status_code}."
