"""The application that counterparties call."""

from fastapi import APIRouter, FastAPI
from fastapi.responses import JSONResponse

from control_plane.dsp_messages import VERSION

VERSION_PATH = f"/{VERSION}"


def create_protocol_app(*routers: APIRouter) -> FastAPI:
    """The routers under the version's path, and the version document, which needs no authentication."""
    app = FastAPI(title="Dataspace Protocol", version=VERSION, docs_url=None, redoc_url=None, openapi_url=None)
    for router in routers:
        app.include_router(router, prefix=VERSION_PATH)

    @app.get("/.well-known/dspace-version")
    async def versions() -> JSONResponse:
        entry = {"version": VERSION, "path": VERSION_PATH, "binding": "HTTPS"}
        return JSONResponse({"protocolVersions": [entry]})

    return app
