"""Catalog endpoints: what this participant offers."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from connector_spi.errors import InvalidInputError, NotFoundError
from control_plane.domain.contract_definition import ContractOffer
from control_plane.domain.participant import Participant
from control_plane.dsp_messages import CatalogRequestMessage, message, odrl
from control_plane.protocol_api.exchange import CATALOG_ERROR, Exchange, read_message
from control_plane.services.catalog_service import CatalogService

TransferTypes = Callable[[], Awaitable[tuple[str, ...]]]


def catalog_router(
    exchange: Exchange, catalog: CatalogService, *, participant_id: str, base_url: str, transfer_types: TransferTypes
) -> APIRouter:
    """POST /catalog/request and GET /catalog/datasets/{id}; `transfer_types`: what the data planes can do now."""
    router = APIRouter(prefix="/catalog")
    service = {
        "@id": f"{participant_id}-connector",
        "@type": "DataService",
        "endpointDescription": "dspace:connector",
        "endpointURL": base_url,
    }

    def dataset(asset_id: str, offers: list[ContractOffer], formats: tuple[str, ...]) -> dict[str, Any]:
        distributions = [{"@type": "Distribution", "format": name, "accessService": service} for name in formats]
        return {
            **offers[0].asset.properties,
            "@id": asset_id,
            "@type": "Dataset",
            "hasPolicy": [odrl("Offer", offer.policy, policy_id=str(offer.id)) for offer in offers],
            "distribution": distributions,
        }

    @router.post("/request")
    async def request_catalog(request: Request) -> JSONResponse:
        async def handle(caller: Participant) -> dict[str, Any]:
            asked = await read_message(request, CatalogRequestMessage, "CatalogRequestMessage")
            if asked.filter:
                raise InvalidInputError(
                    field="filter", value="...", problem="is not supported", remedy="Ask for the whole catalog."
                )
            offers: dict[str, list[ContractOffer]] = {}
            async for offer in catalog.offers(caller):
                offers.setdefault(offer.asset.id, []).append(offer)
            formats = await transfer_types()
            return message(
                "Catalog",
                message_id=f"{participant_id}-catalog",
                participantId=participant_id,
                service=[service],
                dataset=[dataset(asset_id, of_asset, formats) for asset_id, of_asset in offers.items()] or None,
            )

        return await exchange.answer(request, CATALOG_ERROR, handle)

    @router.get("/datasets/{dataset_id:path}")
    async def get_dataset(request: Request, dataset_id: str) -> JSONResponse:
        async def handle(caller: Participant) -> dict[str, Any]:
            offers = [offer async for offer in catalog.offers(caller, dataset_id)]
            if not offers:
                raise NotFoundError(kind="Dataset", object_id=dataset_id)
            return {**message("Dataset"), **dataset(dataset_id, offers, await transfer_types())}

        return await exchange.answer(request, CATALOG_ERROR, handle)

    return router
