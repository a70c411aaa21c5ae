"""A listing of very many objects costs disk, not memory."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.data_plane.planning_process import SIZE

MEBIBYTE = 1024 * 1024
OBJECTS = int(os.environ.get("LISTING_TEST_OBJECTS", "60000"))
"""The gate runs this with 1,000,000 too."""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_memory_of_a_plan_does_not_grow_with_the_listing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.integration.data_plane.planning_process", str(tmp_path), str(OBJECTS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["objects"], told["listed"], told["bytes"]) == (OBJECTS, OBJECTS, OBJECTS * SIZE)
    assert told["highest"] - told["before"] < 64 * MEBIBYTE
