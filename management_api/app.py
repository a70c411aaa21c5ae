"""Builds the management API."""

from typing import Final

from fastapi import APIRouter, Depends

from connector_spi.clock import Clock, SystemClock
from management_api.authentication import ApiKeyAuthentication, ApiKeySource, authenticated
from management_api.documentation import DocumentedApp
from management_api.limits import InputLimits
from management_api.managed_control_plane import ManagedControlPlane
from management_api.problems import install_problem_handlers
from management_api.routers import (
    assets,
    catalog,
    contract_agreements,
    contract_definitions,
    contract_negotiations,
    endpoint_data_references,
    health,
    negotiation_decisions,
    policy_definitions,
    transfer_processes,
    transfer_processes_2022,
)

_DESCRIPTION: Final = """
Offer data, agree on contracts, and move data between organisations.

The paths under `/v3` have the shape of Eclipse EDC's management API v3: requests may be JSON-LD with any of its usual
contexts, or plain JSON. The paths under `/transferprocess` are those of 2022, in plain JSON. Send the API key in the
header `X-Api-Key`. Errors are a JSON list of `{message, type, path, invalidValue}`.
"""

_VERSION_3: Final = (
    assets.router,
    policy_definitions.router,
    contract_definitions.router,
    catalog.router,
    contract_negotiations.router,
    negotiation_decisions.router,
    contract_agreements.router,
    transfer_processes.router,
    endpoint_data_references.router,
)


def create_app(
    control_plane: ManagedControlPlane,
    *,
    api_key: ApiKeySource | None,
    limits: InputLimits | None = None,
    base_path: str = "/management",
    clock: Clock | None = None,
) -> DocumentedApp:
    """The management API as an ASGI app.

    `api_key` reads the key that callers must send; None lets everybody in, which only a listener on loopback may do.
    `base_path` stands before every path but `/api/check` and `/docs`.
    """
    app = DocumentedApp(
        title="Data Management API", version="3", description=_DESCRIPTION, redoc_url=None, redirect_slashes=False
    )
    app.state.control_plane = control_plane
    app.state.limits = limits or InputLimits()
    app.state.clock = clock or SystemClock()
    app.state.authentication = ApiKeyAuthentication(api_key) if api_key else None
    install_problem_handlers(app)
    managed = APIRouter(prefix=base_path.rstrip("/"), dependencies=[Depends(authenticated)])
    for router in _VERSION_3:
        managed.include_router(router, prefix="/v3")
    managed.include_router(transfer_processes_2022.router)
    app.include_router(managed)
    app.include_router(health.router)
    return app
