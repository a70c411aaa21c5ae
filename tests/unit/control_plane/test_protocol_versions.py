"""The version document: at the protocol's root and at the server's, for everybody, as the specification has it."""

from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from control_plane.bootstrap.versions import version_entry
from control_plane.protocol_api.app import create_protocol_app
from control_plane.protocol_api.versions import VersionEntry, version_route
from control_plane.settings import ProtocolAuthSettings, ProtocolMetadataSettings

PLAIN = {"protocolVersions": [{"version": "2025-1", "path": "/2025-1", "binding": "HTTPS"}]}


async def document(app: Any, path: str = "/.well-known/dspace-version") -> Any:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://us.example") as client:
        answer = await client.get(path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    return answer.json()


async def test_the_version_is_told_to_everybody() -> None:
    assert await document(create_protocol_app()) == PLAIN


@pytest.mark.parametrize("public_path", ["/protocol", "/behind/a/proxy/"])
async def test_the_servers_root_tells_where_the_protocols_root_is(public_path: str) -> None:
    entry = VersionEntry()
    app = Starlette(routes=[version_route(entry, public_path), Mount("/protocol", create_protocol_app(versions=entry))])
    [told] = (await document(app))["protocolVersions"]
    assert told["path"] == f"{public_path.rstrip('/')}/2025-1"
    assert await document(app, "/protocol/.well-known/dspace-version") == PLAIN


async def test_what_the_operator_tells_stands_in_it() -> None:
    auth = ProtocolAuthSettings(protocol="DCP", version="1.0", profile=("vc11-sl2021/jwt",))
    metadata = ProtocolMetadataSettings(service_id="connector-1", identifier_type="did:web", auth=auth)
    [told] = (await document(create_protocol_app(versions=version_entry(metadata))))["protocolVersions"]
    assert told == PLAIN["protocolVersions"][0] | {
        "serviceId": "connector-1",
        "identifierType": "did:web",
        "auth": {"protocol": "DCP", "version": "1.0", "profile": ["vc11-sl2021/jwt"]},
    }


async def test_a_profile_that_there_is_not_is_left_out() -> None:
    metadata = ProtocolMetadataSettings(auth=ProtocolAuthSettings(protocol="OAuth2", version="2"))
    [told] = (await document(create_protocol_app(versions=version_entry(metadata))))["protocolVersions"]
    assert told["auth"] == {"protocol": "OAuth2", "version": "2"}
