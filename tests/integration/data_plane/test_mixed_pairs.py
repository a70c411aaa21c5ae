"""Sources and destinations of different technologies, over a whole data plane on real servers and a real disk."""

import hashlib
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from azure_storage.manifest import manifest_page_name, parse_manifest_page
from azure_storage.markers import parse_complete_marker, parse_failed_marker
from connector_spi.data_address import DataAddress, DataAddressMessage
from data_plane.settings import DataPlaneSettings, OutboundSettings
from tests.eventually import eventually
from tests.http_objects import HttpObjects, serving_objects
from tests.integration.data_plane.conftest import Organisations, serving
from tests.integration.data_plane.recording_control_plane import RecordingControlPlane

pytestmark = pytest.mark.azurite

LARGE = random.Random(3).randbytes(20 * 1024 * 1024 + 3)  # noqa: S311 - content, not a secret
OBJECTS = {"in/large.bin": LARGE, "in/empty": b"", "in/a/Übersicht 日本.txt": b"names are text"}


@pytest_asyncio.fixture
async def server() -> AsyncIterator[HttpObjects]:
    async with serving_objects(HttpObjects()) as running:
        yield running


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """The root of local files."""
    root = tmp_path / "files"
    root.mkdir()
    return root


@pytest_asyncio.fixture
async def data_plane(
    settings: DataPlaneSettings, secrets_at_rest: dict[str, str], files: Path
) -> AsyncIterator[httpx.AsyncClient]:
    """A data plane that may call loopback addresses and use the files."""
    wider = settings.model_copy(
        update={
            "outbound": OutboundSettings(allowed_networks=("127.0.0.0/8",), allow_http=True),
            "local_file_root": str(files),
        }
    )
    async with serving(wider, secrets_at_rest) as client:
        yield client


async def start(
    data_plane: httpx.AsyncClient,
    organisations: Organisations,
    *,
    source: DataAddress | None = None,
    destination: DataAddress | None = None,
) -> None:
    """Start a flow; what is not given is the organisations' Azure."""
    message: dict[str, Any] = organisations.start_message({"blobPrefix": "in/"})
    if source is not None:
        message["metadata"]["source"] = {"type": source.type, "properties": dict(source.properties)}
    if destination is not None:
        wired = DataAddressMessage.of(destination.with_properties(transferNonce="n", consumerProcessId="c"))
        message["dataAddress"] = wired.model_dump(mode="json", by_alias=True, exclude_none=True)
        message["profile"] = f"{destination.type}-PUSH"
    answer = await data_plane.post("/dataflows/start", json=message)
    assert (answer.status_code, answer.json().get("state")) == (200, "STARTED"), answer.text


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def files_in(folder: Path) -> dict[str, str]:
    """Names and digests of what stands in a folder."""
    found = (file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): digest(file.read_bytes()) for file in found}


@pytest.mark.parametrize("able", [{}, {"ranges": False}, {"validator": "none"}], ids=["ranges", "one pass", "neither"])
async def test_an_http_source_arrives_on_azure(
    organisations: Organisations,
    data_plane: httpx.AsyncClient,
    control_plane: RecordingControlPlane,
    server: HttpObjects,
    able: dict[str, Any],
) -> None:
    vars(server).update(able)
    server.objects["reports/2026 large.bin"] = LARGE
    source = DataAddress("HttpData", {"baseUrl": server.base, "path": "reports/2026 large.bin", "secret": "T0P"})
    await start(data_plane, organisations, source=source.with_properties(authType="bearer"))
    await control_plane.told(organisations.process_id, "completed")
    delivered = await organisations.delivered()
    assert delivered["2026 large.bin"] == digest(LARGE)
    _, [entry] = await organisations.manifest()
    assert (entry.name, entry.sha256, entry.size_bytes) == ("2026 large.bin", digest(LARGE), len(LARGE))
    assert {headers["authorization"] for _, headers in server.of("GET")} == {"Bearer T0P"}


@pytest.mark.parametrize(
    "credential",
    [
        ({"secret": "T0P", "authHeader": "X-Key"}, ("x-key", "T0P")),
        ({"authorization": "T0P", "authType": "bearer"}, ("authorization", "Bearer T0P")),
    ],
    ids=["secret", "http profile"],
)
async def test_an_azure_source_arrives_on_an_http_server(
    organisations: Organisations,
    data_plane: httpx.AsyncClient,
    control_plane: RecordingControlPlane,
    server: HttpObjects,
    credential: tuple[dict[str, str], tuple[str, str]],
) -> None:
    properties, (header, value) = credential
    for name, data in OBJECTS.items():
        await organisations.put(name, data)
    destination = DataAddress("HttpData", {"endpoint": f"{server.base}inbox/", **properties})
    await start(data_plane, organisations, destination=destination)
    await control_plane.told(organisations.process_id, "completed")
    assert server.objects == {f"inbox/{name}": data for name, data in OBJECTS.items()}
    assert {headers[header] for _, headers in server.of("PUT")} == {value}
    assert set(server.types.values()) == {"text/x-test"}


async def test_an_azure_source_arrives_on_the_disk(
    organisations: Organisations, data_plane: httpx.AsyncClient, control_plane: RecordingControlPlane, files: Path
) -> None:
    for name, data in OBJECTS.items():
        await organisations.put(name, data)
    await start(data_plane, organisations, destination=DataAddress("LocalFile", {"path": "out/flow-1"}))
    await control_plane.told(organisations.process_id, "completed")
    here, page = files / "out/flow-1", manifest_page_name(1)
    wanted = {name: digest(data) for name, data in OBJECTS.items()}

    async def is_tidy() -> bool:
        return set(files_in(here)) == {*wanted, ".complete", page}

    await eventually(is_tidy)
    assert {name: found for name, found in files_in(here).items() if name in wanted} == wanted
    marker = parse_complete_marker((here / ".complete").read_bytes())
    assert (marker.nonce, marker.process_id, marker.object_count) == ("n", "c", 3)
    entries = parse_manifest_page((here / page).read_bytes(), number=1)
    assert {entry.name: entry.sha256 for entry in entries} == wanted


async def test_a_folder_of_the_disk_arrives_on_azure(
    organisations: Organisations, data_plane: httpx.AsyncClient, control_plane: RecordingControlPlane, files: Path
) -> None:
    for name, data in OBJECTS.items():
        (files / "from" / name).parent.mkdir(parents=True, exist_ok=True)
        (files / "from" / name).write_bytes(data)
    await start(data_plane, organisations, source=DataAddress("LocalFile", {"path": "from"}))
    await control_plane.told(organisations.process_id, "completed")
    delivered = await organisations.delivered()
    wanted = {name: digest(data) for name, data in OBJECTS.items()}
    assert {name: found for name, found in delivered.items() if not name.startswith(".")} == wanted


async def test_an_http_source_that_is_gone_ends_the_flow_with_the_reason_and_no_query(
    organisations: Organisations,
    data_plane: httpx.AsyncClient,
    control_plane: RecordingControlPlane,
    server: HttpObjects,
    files: Path,
) -> None:
    source = DataAddress("HttpData", {"baseUrl": server.base, "path": "gone", "queryParams": "page=17"})
    await start(data_plane, organisations, source=source, destination=DataAddress("LocalFile", {"path": "out/flow-1"}))
    told = await control_plane.told(organisations.process_id, "errored")
    assert "HTTP 404" in str(told)
    assert "page=17" not in str(told)

    async def is_marked() -> bool:
        return (files / "out/flow-1/.failed").exists()

    await eventually(is_marked)
    assert parse_failed_marker((files / "out/flow-1/.failed").read_bytes()).code == "HttpNotFound"


async def test_an_address_inside_is_not_called_where_the_operator_has_not_said_so(
    organisations: Organisations,
    settings: DataPlaneSettings,
    secrets_at_rest: dict[str, str],
    control_plane: RecordingControlPlane,
    server: HttpObjects,
) -> None:
    public_only = settings.model_copy(update={"outbound": OutboundSettings(allow_http=True)})
    async with serving(public_only, secrets_at_rest) as data_plane:
        await start(data_plane, organisations, source=DataAddress("HttpData", {"baseUrl": f"{server.base}x"}))
        told = await control_plane.told(organisations.process_id, "errored")
    assert "allowed_networks" in str(told)
    assert server.requests == []
