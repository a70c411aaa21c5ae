"""The application that data planes call."""

from fastapi import APIRouter, FastAPI


def create_signaling_app(*routers: APIRouter) -> FastAPI:
    """The routers of Data Plane Signaling, control plane's side."""
    app = FastAPI(title="Data Plane Signaling", docs_url=None, redoc_url=None, openapi_url=None)
    for router in routers:
        app.include_router(router)
    return app
