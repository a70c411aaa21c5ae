"""Data planes make themselves known, and go."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from connector_spi.json_body import read_json_object, validated
from connector_spi.plane_registration import DataPlaneRegistrationMessage
from control_plane.services.data_plane_registry import DataPlaneRegistry
from control_plane.signaling_api.exchange import SignalingExchange


def registrations_router(exchange: SignalingExchange, data_planes: DataPlaneRegistry) -> APIRouter:
    """PUT /dataplanes and DELETE /dataplanes/{id}."""
    router = APIRouter(prefix="/dataplanes")

    @router.put("")
    async def register(request: Request) -> Response:
        async def handle(callers: frozenset[str]) -> dict[str, Any]:
            message = validated(DataPlaneRegistrationMessage, await read_json_object(request))
            await data_planes.register(callers, message)
            return {}

        return await exchange.answer(request, handle)

    @router.delete("/{data_plane_id:path}")
    async def deregister(request: Request, data_plane_id: str) -> Response:
        async def handle(callers: frozenset[str]) -> dict[str, Any]:
            await data_planes.deregister(callers, data_plane_id)
            return {}

        return await exchange.answer(request, handle, status=204)

    return router
