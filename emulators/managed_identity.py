"""Where Azure machines and services get the token of their managed identity, over plain http.

Two ways: the machines' Instance Metadata Service (IMDS), and the endpoint of App Service.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from emulators.entra_tokens import EntraTokens, Principal, known_resource

IMDS_PATH: Final = "/metadata/identity/oauth2/token"
APP_SERVICE_PATH: Final = "/msi/token"


@dataclass(frozen=True, slots=True)
class ManagedIdentity:
    """The identity that the machine has, and the header that App Service's endpoint demands."""

    principal: Principal
    identity_header: str
    resources: frozenset[str] = frozenset()


def managed_identity_application(identity: ManagedIdentity, tokens: EntraTokens) -> FastAPI:
    """Both endpoints as an ASGI application."""
    app = FastAPI(openapi_url=None)

    def answered(request: Request, more: Callable[[int], dict[str, Any]]) -> Response:
        asked = request.query_params
        resource, client_id = asked.get("resource", ""), asked.get("client_id", identity.principal.client_id)
        request.state.caller = f"managed identity {client_id} for {resource}"
        if client_id != identity.principal.client_id:
            return _refused(400, "invalid_request", "Identity not found")
        if not known_resource(resource, identity.resources):
            return _refused(
                400, "invalid_resource", f"AADSTS500011: The resource principal named {resource} was not found"
            )
        token = tokens.issue(identity.principal, resource)
        # Both write numbers as text, unlike the token endpoint.
        common = {"access_token": token.text, "expires_on": str(token.expires), "resource": resource}
        return JSONResponse({**common, "token_type": "Bearer", "client_id": client_id, **more(token.seconds)})

    @app.get(IMDS_PATH)
    async def instance_metadata(request: Request) -> Response:
        if request.headers.get("metadata", "").lower() != "true":
            return _refused(400, "invalid_request", "Required metadata header not specified")
        return answered(request, lambda seconds: {"expires_in": str(seconds)})

    @app.get(APP_SERVICE_PATH)
    async def app_service(request: Request) -> Response:
        if not hmac.compare_digest(request.headers.get("x-identity-header", ""), identity.identity_header):
            return _refused(401, "unauthorized", "The X-IDENTITY-HEADER is missing or wrong")
        return answered(request, lambda _: {})

    return app


def _refused(status: int, error: str, text: str) -> Response:
    return JSONResponse({"error": error, "error_description": text}, status)
