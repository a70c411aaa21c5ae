"""`POST /public/token`: a fresh token for a refresh token, in the words of RFC 6749."""

import asyncio
from typing import Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from connector_spi.errors import ConflictError, ForbiddenAddressError, TransientError, UnauthenticatedError
from data_plane.domain.errors import InvalidGrantError
from data_plane.services.token_renewal import TokenRenewal

_BODY_MAX: Final = 16 * 1024
_BODY_SECONDS: Final = 10.0
_NEVER_KEPT: Final = {"Cache-Control": "no-store"}


def token_router(renewal: TokenRenewal) -> APIRouter:
    """The route /public/token."""
    router = APIRouter(prefix="/public")

    @router.post("/token")
    async def token(request: Request) -> JSONResponse:
        """`grant_type=refresh_token`, in the form or in the query; the client's own token is the bearer token."""
        given = {**_first(request.url.query.encode()), **_first(await _form(request))}
        if given.get("grant_type") != "refresh_token" or not given.get("refresh_token"):
            return _refused(400, "invalid_request", "Send grant_type=refresh_token and a refresh_token.")
        scheme, _, client_token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return _refused(401, "invalid_client", "Send the client's signed token as `Authorization: Bearer`.")
        try:
            answer = await renewal.renewed(given["refresh_token"], client_token.strip())
        except InvalidGrantError as error:
            return _refused(400, "invalid_grant", error.message)
        except (UnauthenticatedError, ForbiddenAddressError, ConflictError) as error:
            return _refused(401, "invalid_client", error.message)
        except TransientError as error:
            return _refused(503, "temporarily_unavailable", error.told_outside)
        return JSONResponse(dict(answer), headers=_NEVER_KEPT)

    return router


async def _form(request: Request) -> bytes:
    """The body; nothing of one that is too large or too slow."""
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > _BODY_MAX:
                    return b""
    except TimeoutError:
        return b""
    return bytes(body)


def _first(encoded: bytes) -> dict[str, str]:
    try:
        return {name: values[0] for name, values in parse_qs(encoded.decode(), max_num_fields=20).items()}
    except ValueError:
        return {}


def _refused(status: int, error: str, description: str) -> JSONResponse:
    headers = {**_NEVER_KEPT, **({"WWW-Authenticate": "Bearer"} if error == "invalid_client" else {})}
    return JSONResponse({"error": error, "error_description": description}, status_code=status, headers=headers)
