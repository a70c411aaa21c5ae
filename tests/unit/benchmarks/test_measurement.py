"""What is measured of processes, tried on small programs of known appetite."""

import sys
from pathlib import Path

import pytest

from benchmarks.errors import BenchmarkError
from benchmarks.measurement import Measurement, ProcessTree, measured_command
from benchmarks.shapes import MEBIBYTE

TAKES_MEMORY = "data = bytearray(200 * 1024 * 1024)"
TAKES_CPU = "import time\nwhile time.process_time() < 0.3: pass"
IN_A_CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {TAKES_MEMORY!r}], check=True)"
LOADS_THEN_WORKS = """
import sys
loading = bytearray(100 * 1024 * 1024)
import time
while time.process_time() < 0.5: pass
print("ready", flush=True)
assert sys.stdin.readline() == "job\\n"
"""


def measured(program: str, folder: Path, *, job: str | None = None) -> Measurement:
    return measured_command([sys.executable, "-c", program], environment={}, folder=folder, job=job)


def test_processor_time_is_that_of_the_program(tmp_path: Path) -> None:
    assert measured(TAKES_CPU, tmp_path).cpu_seconds >= 0.3


@pytest.mark.parametrize("program", [TAKES_MEMORY, IN_A_CHILD])
def test_the_peak_of_memory_is_seen_in_the_program_and_in_its_children(program: str, tmp_path: Path) -> None:
    assert measured(program, tmp_path).peak_rss_bytes > 200 * MEBIBYTE


def test_loading_does_not_count_for_a_program_that_says_when_it_is_ready(tmp_path: Path) -> None:
    run = measured(LOADS_THEN_WORKS, tmp_path, job="job")
    assert run.cpu_seconds < 0.5
    assert run.idle_rss_bytes > 100 * MEBIBYTE


def test_a_program_that_fails_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"ended with 3.\n(?s:.*)no luck"):
        measured("import sys; sys.stderr.write('no luck'); sys.exit(3)", tmp_path)


def test_a_program_that_ends_before_it_is_ready_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="not loaded"):
        measured("raise SystemExit('not loaded')", tmp_path, job="job")


def test_memory_above_idle_is_the_difference() -> None:
    assert Measurement(1.0, 1.0, 150, 130).rss_above_idle_bytes == 20


def test_a_running_process_has_a_peak_that_counts_from_when_it_was_forgotten() -> None:
    import os

    tree = ProcessTree(os.getpid())
    del (memory := [bytearray(64 * MEBIBYTE)])[:]
    assert memory == []
    before = tree.peak_rss_bytes()
    tree.forget_peak()
    assert tree.peak_rss_bytes() <= before
    assert tree.peak_rss_bytes() >= tree.rss_bytes() // 2
    assert tree.cpu_seconds() > 0
