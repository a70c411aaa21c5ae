"""This data plane makes itself known: again and again, in both spellings, and takes its leave where that is wished."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from aiohttp import web

from data_plane.adapters.control_plane_directory_http import HttpControlPlaneDirectory, OwnRegistration
from data_plane.services.registrar import Registrar
from tests.eventually import eventually
from tests.unit.data_plane.plane import QUICK
from vault_adapters.memory import InMemoryVault

PROFILES = ("AzureStorage-PUSH", "https://profiles.example/azure-blob-push")


@dataclass
class Directory:
    """A control plane's `/dataplanes`. `statuses`: answers, used up one by one; then 200."""

    calls: list[tuple[str, str, dict[str, str], Any]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    url: str = ""

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.text()
        self.calls.append((request.method, request.path, dict(request.headers), json.loads(body) if body else None))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)


@asynccontextmanager
async def directory() -> AsyncIterator[Directory]:
    found, app = Directory(), web.Application()
    app.router.add_route("*", "/{path:.*}", found.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}/management/v4/dataplanes"
    try:
        yield found
    finally:
        await runner.cleanup()


@asynccontextmanager
async def registered(found: Directory, *, every: float = 3600, leave: bool = False, **more: Any) -> AsyncIterator[None]:
    own = OwnRegistration(
        url=found.url, data_plane_id="dp/1", endpoint="http://us/dataflows", profiles=PROFILES, **more
    )
    vault = InMemoryVault({"key": "the-api-key", "secret": "the-client-secret"})
    async with httpx.AsyncClient() as client, asyncio.TaskGroup() as group:
        http = HttpControlPlaneDirectory(own, client=client, vault=vault)
        registrar = Registrar(directory=http, every_seconds=every, leave_at_stop=leave, backoff=QUICK)
        running = group.create_task(registrar.run())
        try:
            yield
        finally:
            running.cancel()


async def called(found: Directory, times: int) -> None:
    async def enough() -> bool:
        return len(found.calls) >= times

    await eventually(enough, seconds=10)


async def test_a_registration_says_all_in_both_spellings() -> None:
    async with directory() as found, registered(found, api_key_alias="key"):
        await called(found, 1)
    [(method, path, headers, body)] = found.calls
    assert (method, path, headers["X-Api-Key"]) == ("PUT", "/management/v4/dataplanes", "the-api-key")
    assert body == {
        "dataplaneId": "dp/1",
        "endpoint": "http://us/dataflows",
        "profiles": list(PROFILES),
        "transferTypes": list(PROFILES),
        "labels": [],
    }


async def test_the_authorization_is_sent_with_the_secret_from_the_vault() -> None:
    async with (
        directory() as found,
        registered(found, token_endpoint="https://us/token", client_id="them", client_secret_alias="secret"),
    ):
        await called(found, 1)
    assert found.calls[0][3]["authorization"] == {
        "type": "oauth2_client_credentials",
        "tokenEndpoint": "https://us/token",
        "clientId": "them",
        "clientSecret": "the-client-secret",
    }


@pytest.mark.parametrize("status", [401, 404, 500])
async def test_what_fails_is_tried_again_soon_and_what_worked_is_repeated(status: int) -> None:
    async with directory() as found:
        found.statuses = [status, status]
        async with registered(found):
            await called(found, 3)
        async with registered(found, every=0.01):
            await called(found, 6)


@pytest.mark.parametrize("leave", [True, False])
async def test_it_takes_its_leave_where_that_is_wished(*, leave: bool) -> None:
    async with directory() as found, registered(found, leave=leave):
        await called(found, 1)
    left = [path for method, path, _, _ in found.calls if method == "DELETE"]
    assert left == (["/management/v4/dataplanes/dp/1"] if leave else [])
