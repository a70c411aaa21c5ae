"""The public endpoint of HTTP pulls: `/public/flows/<flow>/` and, under it, objects by name.

The gate of the signaling messages lets it pass; each request proves itself by the flow's own token.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Message, Send

from connector_spi.errors import NotFoundError, PermanentError, UnauthenticatedError
from data_plane.domain.data_flow import DataFlow
from data_plane.domain.object_copy import SourceObject
from data_plane.ports.data_source import SourcePage
from data_plane.services.public_reads import LISTING_TYPE, PublicReads
from data_plane.signaling_api.byte_range import ByteRange, UnsatisfiableRangeError, requested_range

_log = logging.getLogger(__name__)

_PRIVATE: Final = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}
_TOKEN_MAX: Final = 512
_AFTER_MAX: Final = 4096
_SILENCE_SECONDS: Final = 60.0
"""How long a reader may take nothing. Places for reads are few, and one that stands still would keep its own."""


def public_router(reads: PublicReads) -> APIRouter:
    """The routes under /public/flows."""
    router = APIRouter(prefix="/public/flows")

    @router.api_route("/{key}", methods=["GET", "HEAD"])
    @router.api_route("/{key}/{name:path}", methods=["GET", "HEAD"])
    async def read(key: str, request: Request, name: str = "") -> Response:
        """The object of this name; without a name, the one object of the source, or the list of all."""
        try:
            flow, source = await reads.admitted(key, bearer_token(request))
        except UnauthenticatedError as error:
            body = {"code": error.code, "message": error.message}
            return JSONResponse(body, status_code=401, headers={"WWW-Authenticate": "Bearer", **_PRIVATE})
        after = request.query_params.get("after", "")[:_AFTER_MAX] or None
        try:
            found = await reads.find(source, name) if name else await reads.page(source, after)
        except NotFoundError:
            return _refused(404, "NotFound", "There is no such object.")
        except PermanentError as error:
            _log.error("a source cannot be read", extra={"data_flow_id": flow.id, "reason": error.message})
            return _refused(502, "SourceUnavailable", "The source cannot be read; its owner's log tells why.")
        if isinstance(found, SourceObject):
            return _object(reads, flow, found, request)
        return JSONResponse(_listing(found), headers=_PRIVATE, media_type=LISTING_TYPE)

    return router


def _refused(status: int, code: str, message: str) -> JSONResponse:
    """An answer that tells the reader, who is of another organisation, nothing of where the source is."""
    return JSONResponse({"code": code, "message": message}, status_code=status, headers=_PRIVATE)


def bearer_token(request: Request) -> str:
    """The bearer token; readers of EDC send the bare token."""
    sent = request.headers.get("Authorization", "")[:_TOKEN_MAX]
    return sent[7:].strip() if sent[:7].lower() == "bearer " else sent.strip()


def _listing(page: SourcePage) -> dict[str, Any]:
    objects = [
        {"name": found.name, "size": found.size, "etag": found.etag, "contentType": found.content_type}
        for found in page.objects
    ]
    return {"objects": objects} if page.position is None else {"objects": objects, "next": page.position}


def _object(reads: PublicReads, flow: DataFlow, found: SourceObject, request: Request) -> Response:
    headers, sent = _headers(found), request.headers
    if _names(sent.get("If-None-Match"), found.etag):
        return Response(status_code=304, headers=headers)
    if sent.get("If-Match") is not None and not _names(sent.get("If-Match"), found.etag):
        return Response(status_code=412, headers=_PRIVATE)
    try:
        part = requested_range(sent.get("Range"), sent.get("If-Range"), etag=found.etag, size=found.size)
    except UnsatisfiableRangeError:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{found.size}", **_PRIVATE})
    whole = part is None
    wanted = part or ByteRange(0, found.size)
    headers["Content-Length"] = str(wanted.length)
    if not whole:
        headers["Content-Range"] = wanted.content_range(found.size)
    status = 200 if whole else 206
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    reads.check_room(flow)
    content = reads.content(flow, found, wanted.start, wanted.length)
    return _Streamed(content, status_code=status, headers=headers)


class _Streamed(StreamingResponse):
    """Breaks off when the reader stands still, and gives the place back at once however it ends."""

    def __init__(self, content: AsyncGenerator[bytes, None], *, status_code: int, headers: dict[str, str]) -> None:
        super().__init__(content, status_code=status_code, headers=headers)
        self._content = content

    async def stream_response(self, send: Send) -> None:
        async def in_time(message: Message) -> None:
            async with asyncio.timeout(_SILENCE_SECONDS):
                await send(message)

        async with aclosing(self._content):
            await super().stream_response(in_time)


def _headers(found: SourceObject) -> dict[str, str]:
    headers = {"Accept-Ranges": "bytes", "Content-Type": found.content_type, **_PRIVATE}
    if found.etag:
        headers["ETag"] = found.etag
    if found.content_encoding:
        headers["Content-Encoding"] = found.content_encoding
    return headers


def _names(header: str | None, etag: str) -> bool:
    """Whether a conditional header names this version."""
    if header is None or not etag:
        return False
    return header.strip() == "*" or etag in {part.strip() for part in header.split(",")}
