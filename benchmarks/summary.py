"""Medians of runs, and how they compare with the best peer of the same group."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from benchmarks.measurement import Measurement
from benchmarks.shapes import MEBIBYTE

METRICS: Final[dict[str, Callable[[Measurement], float]]] = {
    "wall_seconds": lambda run: run.wall_seconds,
    "cpu_seconds": lambda run: run.cpu_seconds,
    "peak_rss_mib": lambda run: run.peak_rss_bytes / MEBIBYTE,
    "rss_above_idle_mib": lambda run: run.rss_above_idle_bytes / MEBIBYTE,
}


@dataclass(frozen=True, slots=True)
class Runs:
    """All runs of one client in one group; `is_ours` and `server_side` as of `Client`."""

    client: str
    is_ours: bool
    server_side: bool
    measured: Sequence[Measurement]


@dataclass(frozen=True, slots=True)
class Row:
    """One client in one group.

    `ratios`: its medians by those of the best peer that moves bytes the same way; another peer may be best in another
    metric. A ratio is missing where there is no such peer, or the peer's median is 0.
    """

    client: str
    is_ours: bool
    runs: int
    medians: dict[str, float]
    ratios: dict[str, float]


def summarised(group: Iterable[Runs]) -> list[Row]:
    """Rows of one group (the same server and shape); no runs, no row."""
    told = [runs for runs in group if runs.measured]
    medians = {runs.client: _medians(runs.measured) for runs in told}
    return [
        Row(runs.client, runs.is_ours, len(runs.measured), medians[runs.client], _ratios(runs, told, medians))
        for runs in told
    ]


def _medians(measured: Sequence[Measurement]) -> dict[str, float]:
    return {metric: median(value(run) for run in measured) for metric, value in METRICS.items()}


def _ratios(runs: Runs, told: Sequence[Runs], medians: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    peers = [other.client for other in told if not other.is_ours and other.server_side == runs.server_side]
    if not peers:
        return {}
    best = {metric: min(medians[peer][metric] for peer in peers) for metric in METRICS}
    return {metric: medians[runs.client][metric] / value for metric, value in best.items() if value > 0}
