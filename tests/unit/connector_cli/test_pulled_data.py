"""Where downloaded objects go, and what a provider may not make of that; served by a real HTTP server."""

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from connector_cli.pulled_data import FetchError, PulledData, place_below, shown_address
from data_plane.services.public_reads import LISTING_TYPE


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "../x", "a/../../x", "a//b", ".", "a/.", "..\\x", "a\0b", "a\nb", "a/"]
)
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(FetchError):
        place_below(tmp_path / "to", name)


def test_no_link_leads_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "link").symlink_to(tmp_path)
    with pytest.raises(FetchError, match="leads out"):
        place_below(tmp_path / "to", "link/x")


def test_what_is_shown_of_an_address_holds_no_secret() -> None:
    address = {
        "type": "HttpData",
        "endpoint": "e",
        "authorization": "s",
        "refreshToken": "s",
        "secret": "s",
        "odd": "s",
    }
    assert shown_address(address) == {"type": "HttpData", "endpoint": "e"}


async def fetched(address: dict[str, Any], folder: Path) -> dict[str, int]:
    data = PulledData({"type": "HttpData", "authorization": "token", **address}, single_name="asset")
    return {name: size async for name, size in data.fetch(folder)}


def application(objects: dict[str, bytes], pages: list[dict[str, Any]], *, breaks: bool = False) -> web.Application:
    """The pages of a listing at /, and the objects below; `breaks`: half of an object comes."""

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.headers["Authorization"] != "Bearer token":
            return web.Response(status=401)
        name = request.match_info["name"]
        if not name and pages:
            page = pages[int(request.query.get("after", "0"))]
            return web.Response(body=json.dumps(page), content_type=LISTING_TYPE)
        content = objects.get(name)
        if content is None:
            return web.Response(status=404)
        if not breaks:
            return web.Response(body=content)
        answer = web.StreamResponse(headers={"Content-Length": str(len(content))})
        await answer.prepare(request)
        await answer.write(content[: len(content) // 2])
        assert request.transport is not None
        request.transport.close()
        return answer

    app = web.Application()
    app.router.add_get("/{name:.*}", handle)
    return app


async def test_every_page_of_a_listing_is_downloaded(tmp_path: Path) -> None:
    pages: list[dict[str, Any]] = [
        {"objects": [{"name": "a"}], "next": "1"},
        {"objects": [{"name": "deep/Ü#?.txt", "etag": '"v"'}]},
    ]
    async with TestServer(application({"a": b"1", "deep/Ü#?.txt": b"22"}, pages)) as server:
        assert await fetched({"endpoint": str(server.make_url("/"))}, tmp_path / "to") == {"a": 1, "deep/Ü#?.txt": 2}
    assert (tmp_path / "to" / "deep" / "Ü#?.txt").read_bytes() == b"22"


async def test_one_object_without_a_name_gets_the_name_of_the_asset(tmp_path: Path) -> None:
    async with TestServer(application({"": b"content"}, [])) as server:
        endpoint = str(server.make_url("/"))
        assert await fetched({"endpoint": endpoint}, tmp_path) == {"asset": 7}
        with pytest.raises(FetchError, match="there already"):
            await fetched({"endpoint": endpoint}, tmp_path)
        with pytest.raises(FetchError, match="401"):
            await fetched({"endpoint": endpoint, "authorization": "other"}, tmp_path / "to")


async def test_half_an_object_never_has_its_name(tmp_path: Path) -> None:
    async with TestServer(application({"": bytes(100_000)}, [], breaks=True)) as server:
        with pytest.raises(FetchError, match="did not give everything"):
            await fetched({"endpoint": str(server.make_url("/"))}, tmp_path)
    assert not (tmp_path / "asset").exists()


@pytest.mark.parametrize("endpoint", ["", "file:x", "ftp://x"])
async def test_an_address_without_http_is_refused(tmp_path: Path, endpoint: str) -> None:
    with pytest.raises(FetchError, match="no endpoint"):
        await fetched({"endpoint": endpoint}, tmp_path)
