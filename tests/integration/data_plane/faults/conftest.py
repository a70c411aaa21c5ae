"""Fixtures of the fault tests: storage is reached through the proxy by the data plane, and directly by its owners."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from data_plane.domain.object_copy import BLOCK_SIZES, CopyMode
from tests.conftest import AzuriteForTests
from tests.fault_proxy import FaultProxy
from tests.integration.data_plane.conftest import Organisations
from tests.integration.data_plane.faults.fault_stage import FaultStage, open_stage
from tests.integration.data_plane.test_blob_transfer import MEBIBYTE


@pytest_asyncio.fixture
async def stage(azurite: AzuriteForTests, organisations: Organisations, tmp_path: Path) -> AsyncIterator[FaultStage]:
    async with open_stage(azurite, organisations, tmp_path) as stage:
        yield stage


@pytest.fixture
def proxy(stage: FaultStage) -> FaultProxy:
    return stage.proxy


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 1 MiB, for a data plane in this process: the same steps with fewer bytes."""
    for mode in CopyMode:
        monkeypatch.setitem(BLOCK_SIZES, mode, MEBIBYTE)
