"""A storage service over TLS that gives out user delegation keys as a test says: what Azurite never refuses."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

from aiohttp import web
from aiohttp.test_utils import TestServer

from azure_storage.endpoints import StorageEndpoints
from azure_storage.session import StorageSession, open_storage_session
from emulators.certificates import write_certificates

_KEY = """<?xml version="1.0" encoding="utf-8"?><UserDelegationKey><SignedOid>11111111-1111-1111-1111-111111111111
</SignedOid><SignedTid>22222222-2222-2222-2222-222222222222</SignedTid><SignedStart>{start}</SignedStart>
<SignedExpiry>{end}</SignedExpiry><SignedService>b</SignedService><SignedVersion>2026-06-06</SignedVersion>
<Value>{value}</Value></UserDelegationKey>"""


@dataclass(slots=True)
class DelegatingService:
    """What it was asked, and how it answers."""

    endpoints: StorageEndpoints = field(default_factory=StorageEndpoints)
    asked: list[tuple[datetime, datetime]] = field(default_factory=list)
    """Start and end of each key that was asked for."""
    authorizations: list[str] = field(default_factory=list)
    refusal: tuple[int, str] | None = None
    """Status and error code of every answer while it is set."""
    gives_at_most: timedelta = timedelta(days=7)
    answers: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared: nothing is answered until it is set."""
    asked_first: asyncio.Event = field(default_factory=asyncio.Event)
    """Set with the first key that was asked for."""

    async def answer(self, request: web.Request) -> web.Response:
        self.authorizations.append(request.headers.get("Authorization", ""))
        if "userdelegationkey" in request.query.get("comp", ""):
            return await self._key(await request.text())
        return self._refused() or web.Response(status=201)

    async def _key(self, body: str) -> web.Response:
        wish = ET.fromstring(body)  # noqa: S314 - of our own client
        start, end = (datetime.fromisoformat(wish.findtext(name) or "") for name in ("Start", "Expiry"))
        self.asked.append((start, end))
        self.asked_first.set()
        await self.answers.wait()
        if refused := self._refused():
            return refused
        end = min(end, start + self.gives_at_most)
        value = base64.b64encode(f"key {len(self.asked)}".encode()).decode()
        text = _KEY.format(start=start.isoformat(), end=end.isoformat().replace("+00:00", "Z"), value=value)
        return web.Response(text=text, content_type="application/xml")

    def _refused(self) -> web.Response | None:
        if self.refusal is None:
            return None
        status, code = self.refusal
        return web.Response(status=status, headers={"x-ms-error-code": code})


@asynccontextmanager
async def delegating_service(folder: Path) -> AsyncIterator[tuple[DelegatingService, StorageSession]]:
    """The service, and a session that trusts its certificate."""
    files = write_certificates(folder)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(files.certificate_file, files.key_file)
    service = DelegatingService()
    service.answers.set()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", service.answer)
    trusting = ssl.create_default_context(cafile=files.ca_file)
    server = TestServer(application, host="127.0.0.1", scheme="https")
    await server.start_server(ssl=serving)
    try:
        async with open_storage_session(tls=trusting) as session:
            service.endpoints = StorageEndpoints(f"https://127.0.0.1:{server.port}/{{account}}")
            yield service, session
    finally:
        await server.close()
