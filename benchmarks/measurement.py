"""What a run of a client's process took: time, processor, memory. Needs Linux: the kernel keeps the peak of memory."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from benchmarks.errors import BenchmarkError

READY: Final = "ready\n"
"""What a Python program says once it has loaded; only what comes then is measured."""
RUN_SECONDS: Final = 900.0
_TAIL: Final = 400
_KIBIBYTE: Final = 1024
_RESET_PEAK: Final = "5"


@dataclass(frozen=True, slots=True)
class Measurement:
    """One run. `idle_rss_bytes` is what the process took before the work began, 0 where the start is part of it."""

    wall_seconds: float
    cpu_seconds: float
    peak_rss_bytes: int
    idle_rss_bytes: int = 0

    @property
    def rss_above_idle_bytes(self) -> int:
        """What the work itself took."""
        return self.peak_rss_bytes - self.idle_rss_bytes


@dataclass(frozen=True, slots=True)
class _Baseline:
    at: float
    cpu_seconds: float = 0.0
    rss_bytes: int = 0


def measured_command(
    command: Sequence[str], *, environment: Mapping[str, str], folder: Path, job: str | None = None
) -> Measurement:
    """Run the command to its end, children included. Blocks.

    `job`: for programs of our own, which load first, say `READY`, then read the job from standard input. For others
    the time counts from their start.

    Raises:
        BenchmarkError: it failed, or took longer than `RUN_SECONDS`.
    """
    log = folder / "client.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE if job else subprocess.DEVNULL,
            stdout=subprocess.PIPE if job else errors,
            stderr=errors,
            env={**os.environ, **environment},
            cwd=folder,
            text=True,
        )
    baseline = _Baseline(time.perf_counter())
    watchdog = threading.Timer(RUN_SECONDS, os.kill, (process.pid, signal.SIGKILL))
    watchdog.start()
    try:
        if job:
            baseline = _handed_over(process, job)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - baseline.at
    finally:
        watchdog.cancel()
        for stream in filter(None, (process.stdin, process.stdout)):
            with contextlib.suppress(BrokenPipeError):
                stream.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise BenchmarkError(f"{Path(command[0]).name} ended with {process.returncode}.\n{log.read_text()[-_TAIL:]}")
    cpu = usage.ru_utime + usage.ru_stime - baseline.cpu_seconds
    return Measurement(wall, cpu, usage.ru_maxrss * _KIBIBYTE, baseline.rss_bytes)


def _handed_over(process: "subprocess.Popen[str]", job: str) -> _Baseline:
    """Wait until the program is ready, look at it, and give it the job."""
    if process.stdin is None or process.stdout is None:
        raise BenchmarkError("A program that takes a job needs pipes.")
    if process.stdout.readline() != READY:
        process.stdin.close()
        return _Baseline(time.perf_counter())  # it ends, and its status says so
    tree = ProcessTree(process.pid)
    baseline = _Baseline(time.perf_counter(), tree.cpu_seconds(), tree.rss_bytes())
    process.stdin.write(job + "\n")
    process.stdin.flush()
    return baseline


class ProcessTree:
    """A process that goes on running, with its children."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)

    def cpu_seconds(self) -> float:
        """User and system time so far, of children that have ended too."""
        times = [process.cpu_times() for process in self._all()]
        return sum(t.user + t.system for t in times) + times[0].children_user + times[0].children_system

    def rss_bytes(self) -> int:
        """Resident memory now."""
        return sum(process.memory_info().rss for process in self._all())

    def forget_peak(self) -> None:
        """Let the peak of memory count from now on."""
        for process in self._all():
            Path(f"/proc/{process.pid}/clear_refs").write_text(_RESET_PEAK)

    def peak_rss_bytes(self) -> int:
        """The largest resident memory since `forget_peak`, as the kernel kept it."""
        return sum(_high_water_mark(process.pid) for process in self._all())

    def _all(self) -> list[psutil.Process]:
        return [self._root, *self._root.children(recursive=True)]


def _high_water_mark(pid: int) -> int:
    """0 for a process that has ended and that nobody has waited for yet: it holds no memory any more."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * _KIBIBYTE
    return 0
