"""The gate cannot pass with tests that did not run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source_tree import ROOT

SKIPPED_TEST = """
import pytest

@pytest.mark.skip(reason="no Azurite here")
def test_skipped(): ...

@pytest.fixture
def server():
    pytest.skip("no PostgreSQL here")

def test_skipped_by_its_fixture(server): ...

@pytest.mark.xfail(reason="known", strict=True)
def test_that_is_expected_to_fail():
    assert False
"""
SKIPPED_MODULE = 'import pytest; pytest.skip("no Node here", allow_module_level=True)'


@pytest.mark.parametrize(
    ("ci", "content", "outcome"),
    [
        ("true", SKIPPED_TEST, "1 xfailed, 2 errors"),
        ("true", SKIPPED_MODULE, "1 error"),
        ("", SKIPPED_TEST, "2 skipped, 1 xfailed"),
        ("", SKIPPED_MODULE, "1 skipped"),
    ],
)
def test_a_skip_is_a_failure_under_ci_only(tmp_path: Path, ci: str, content: str, outcome: str) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_inner.py").write_text(content)
    inner = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.no_skips_in_ci", "-p", "no:cacheprovider", "-ra", "."],
        check=False,
        cwd=tmp_path,
        env={**os.environ, "CI": ci, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert outcome in inner.stdout
    assert "no Azurite here" in inner.stdout or "no Node here" in inner.stdout
