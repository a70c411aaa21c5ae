"""Every client that needs no program of others copies tiny shapes, on a server that notices a wrong copy.

The stub needs Go, which not every machine has; Azurite takes its place there.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.clients.registry import SMOKE_CLIENTS
from benchmarks.errors import UnavailableError, WrongCopyError
from benchmarks.servers import Server
from benchmarks.servers.azurite import AzuriteServer
from benchmarks.servers.stub import StubServer
from benchmarks.shapes import Shape
from benchmarks.stage import Delivered, Stage
from benchmarks.tools import find_go

pytestmark = [pytest.mark.azurite, pytest.mark.end_to_end]


def servers() -> list[Server]:
    """Those that this machine has."""
    try:
        find_go()
    except UnavailableError:
        return [AzuriteServer()]
    return [AzuriteServer(), StubServer(checks=True)]


def unchanged(content: bytes) -> bytes:
    return content


def other_bytes(content: bytes) -> bytes:
    return b"x" * len(content)


def one_byte_flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def shifted(content: bytes) -> bytes:
    return content[1:] + content[:1]


def cut(content: bytes) -> bytes:
    return content[:-1]


def copied(stage: Stage, *, last: Callable[[bytes], bytes] = unchanged) -> None:
    """Copy everything; `last` makes what the last object gets."""
    with stage.source() as source, stage.destination() as destination:
        names = [str(blob.name) for blob in source.list_blobs()]
        for name in names:
            content = source.download_blob(name).readall()
            destination.upload_blob(name, last(content) if name == names[-1] else content)


@pytest.fixture(params=servers(), ids=lambda server: server.name)
def server(request: pytest.FixtureRequest) -> Server:
    chosen: Server = request.param
    return chosen


SHAPE = Shape("tiny", 3, 100_000)


async def test_a_whole_copy_passes(server: Server, tmp_path: Path) -> None:
    async with server.staged(SHAPE, tmp_path) as stage:
        copied(stage)
        assert stage.delivered() == Delivered(3, 300_000)
        stage.check()


@pytest.mark.parametrize("wrong", [other_bytes, one_byte_flipped, shifted, cut])
async def test_a_wrong_copy_is_noticed(server: Server, wrong: Callable[[bytes], bytes], tmp_path: Path) -> None:
    async with server.staged(SHAPE, tmp_path) as stage:
        copied(stage, last=wrong)
        with pytest.raises(WrongCopyError):
            stage.check()


async def test_an_object_that_is_missing_is_noticed(server: Server, tmp_path: Path) -> None:
    async with server.staged(SHAPE, tmp_path) as stage:
        with pytest.raises(WrongCopyError, match="objects=0"):
            stage.check()


@pytest.mark.slow
def test_a_smoke_run_measures_every_client_in_every_shape(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = tmp_path / "results.json"
    code = main(["--smoke", "--json", str(results)])
    assert code == 0, capsys.readouterr().err
    groups = json.loads(results.read_text())["groups"]
    assert [group["shape"]["name"] for group in groups] == ["one", "mid", "small"]
    for group in groups:
        assert [row["client"] for row in group["rows"]] == list(SMOKE_CLIENTS)
        assert all(row["medians"]["cpu_seconds"] > 0 for row in group["rows"])
