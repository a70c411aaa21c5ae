"""A real HTTP server on loopback that answers as a test says: for what Azurite never does, or does not have."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.test_utils import TestServer

from azure_storage.sas import SasToken, SignedUrl
from azure_storage.session import StorageSession, open_storage_session

SIGNATURE = "topsecret%2B%2F%3D"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def stub_service(
    handler: Handler, *, token: str = f"sp=w&sig={SIGNATURE}"
) -> AsyncIterator[tuple[StorageSession, SignedUrl]]:
    """A session, and the URL of the blob acme1/data/a.bin at a service that `handler` plays."""
    application = web.Application(client_max_size=64 * 1024 * 1024)
    application.router.add_route("*", "/{path:.*}", handler)
    async with TestServer(application, host="127.0.0.1") as server, open_storage_session() as session:
        yield session, SasToken.from_secret(token).applied_to(str(server.make_url("/acme1/data/a.bin")))


def answering(status: int, code: str = "", *, body: str = "", **headers: str) -> Handler:
    """A service that answers every request with this; `_` in the names of headers stands for `-`."""
    stated = {name.replace("_", "-"): value for name, value in headers.items()}
    if code:
        stated["x-ms-error-code"] = code

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(status=status, text=body, headers=stated)

    return answer
