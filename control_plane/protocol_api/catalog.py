"""Catalog endpoints: what this participant offers."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from connector_spi.errors import InvalidInputError, NotFoundError
from control_plane.catalog_filter import read_filter
from control_plane.domain.catalog import CatalogQuery, Dataset
from control_plane.domain.participant import Participant
from control_plane.dsp_messages import CatalogRequestMessage, message
from control_plane.protocol_api.catalog_paging import PARAMETER, links, read_continuation
from control_plane.protocol_api.datasets import dataset_body
from control_plane.protocol_api.exchange import CATALOG_ERROR, Exchange, read_message
from control_plane.services.catalog_service import CatalogService

TransferTypes = Callable[[str], Awaitable[tuple[str, ...]]]
"""The transfer types that the data planes serve now for data addresses of this type."""


class CatalogEndpoints:
    """POST /catalog/request and GET /catalog/datasets/{id}."""

    def __init__(
        self,
        exchange: Exchange,
        catalog: CatalogService,
        *,
        participant_id: str,
        base_url: str,
        transfer_types: TransferTypes,
        page_size: int,
    ) -> None:
        """`base_url`: of the protocol, with the version path. `page_size`: datasets, where no limit is asked for."""
        self._exchange = exchange
        self._catalog = catalog
        self._participant_id = participant_id
        self._request_url = f"{base_url}/catalog/request"
        self._transfer_types = transfer_types
        self._page_size = page_size
        self._service = {
            "@id": f"{participant_id}-connector",
            "@type": "DataService",
            "endpointDescription": "dspace:connector",
            "endpointURL": base_url,
        }

    def router(self) -> APIRouter:
        """The routes. The pages that links lead to can be fetched with GET too, as links usually are."""
        router = APIRouter(prefix="/catalog")
        router.add_api_route("/request", self.request_catalog, methods=["GET", "POST"])
        router.add_api_route("/datasets/{dataset_id:path}", self.get_dataset, methods=["GET"])
        return router

    async def request_catalog(self, request: Request) -> JSONResponse:
        """A page of the catalog, with links to those before and after it."""
        related: list[str] = []

        async def handle(caller: Participant) -> dict[str, Any]:
            page = await self._catalog.page(caller, await self._asked(request))
            related.extend(links(page, self._request_url))
            return message(
                "Catalog",
                message_id=f"{self._participant_id}-catalog",
                participantId=self._participant_id,
                service=[self._service],
                dataset=await self._bodies(page.datasets) or None,
            )

        answer = await self._exchange.answer(request, CATALOG_ERROR, handle)
        for link in related:
            answer.headers.append("Link", link)
        return answer

    async def get_dataset(self, request: Request, dataset_id: str) -> JSONResponse:
        """One dataset, if it is offered to the caller."""

        async def handle(caller: Participant) -> dict[str, Any]:
            dataset = await self._catalog.dataset(caller, dataset_id)
            bodies = await self._bodies((dataset,)) if dataset else []
            if not bodies:
                raise NotFoundError(kind="Dataset", object_id=dataset_id)
            return {**message("Dataset"), **bodies[0]}

        return await self._exchange.answer(request, CATALOG_ERROR, handle)

    async def _asked(self, request: Request) -> CatalogQuery:
        token = request.query_params.get(PARAMETER)
        if request.method == "POST":
            # Also beside a token: a body that is no message is refused in any case.
            asked = await read_message(request, CatalogRequestMessage, "CatalogRequestMessage")
            return read_continuation(token) if token else read_filter(asked.filter, page_size=self._page_size)
        if not token:
            raise InvalidInputError(
                field=PARAMETER, value="", problem="is missing", remedy="POST a CatalogRequestMessage."
            )
        return read_continuation(token)

    async def _bodies(self, datasets: tuple[Dataset, ...]) -> list[dict[str, Any]]:
        """The datasets whose data can be had; the specification knows none without a distribution."""
        kinds = {dataset.asset.data_address.type for dataset in datasets}
        formats = {kind: await self._transfer_types(kind) for kind in kinds}
        return [
            dataset_body(dataset, formats[dataset.asset.data_address.type], self._service)
            for dataset in datasets
            if formats[dataset.asset.data_address.type]
        ]
