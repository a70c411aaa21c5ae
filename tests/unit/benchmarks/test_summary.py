"""Medians, and ratios against the best peer."""

import pytest

from benchmarks.measurement import Measurement
from benchmarks.shapes import MEBIBYTE
from benchmarks.summary import METRICS, Row, Runs, summarised


def run(wall: float, cpu: float = 1.0, peak: int = 100, idle: int = 0) -> Measurement:
    return Measurement(wall, cpu, peak * MEBIBYTE, idle * MEBIBYTE)


def of(client: str, *measured: Measurement, ours: bool = False, server_side: bool = False) -> Runs:
    return Runs(client, ours, server_side, measured)


def by_name(rows: list[Row]) -> dict[str, Row]:
    return {row.client: row for row in rows}


def test_a_median_is_not_moved_by_one_slow_run() -> None:
    [row] = summarised([of("a", run(1.0), run(30.0), run(1.2))])
    assert row.medians["wall_seconds"] == 1.2
    assert row.runs == 3


def test_an_even_number_of_runs_has_the_middle_of_the_two_in_the_middle() -> None:
    [row] = summarised([of("a", run(1.0), run(2.0))])
    assert row.medians["wall_seconds"] == 1.5


def test_each_metric_is_compared_with_the_peer_that_is_best_in_it() -> None:
    rows = by_name(
        summarised(
            [
                of("ours", run(1.0, cpu=3.0, peak=150, idle=130), ours=True),
                of("quick", run(0.5, cpu=4.0, peak=300)),
                of("thrifty", run(2.0, cpu=1.5, peak=75)),
            ]
        )
    )
    assert rows["ours"].ratios == {
        "wall_seconds": pytest.approx(2.0),
        "cpu_seconds": pytest.approx(2.0),
        "peak_rss_mib": pytest.approx(2.0),
        "rss_above_idle_mib": pytest.approx(20 / 75),
    }
    assert rows["quick"].ratios["wall_seconds"] == pytest.approx(1.0)


def test_ours_is_never_what_others_are_compared_with() -> None:
    rows = by_name(summarised([of("ours", run(0.1), ours=True), of("peer", run(1.0))]))
    assert rows["peer"].ratios["wall_seconds"] == pytest.approx(1.0)


def test_who_moves_no_bytes_is_compared_with_others_who_do_not() -> None:
    rows = by_name(
        summarised(
            [
                of("ours", run(6.0), ours=True),
                of("ours-server-side", run(1.0), ours=True, server_side=True),
                of("peer", run(3.0)),
                of("peer-server-side", run(2.0), server_side=True),
            ]
        )
    )
    assert rows["ours"].ratios["wall_seconds"] == pytest.approx(2.0)
    assert rows["ours-server-side"].ratios["wall_seconds"] == pytest.approx(0.5)


def test_without_a_peer_there_are_no_ratios() -> None:
    [row] = summarised([of("ours", run(1.0), ours=True)])
    assert row.ratios == {}
    assert set(row.medians) == set(METRICS)


def test_a_peer_that_took_nothing_is_no_measure() -> None:
    rows = by_name(summarised([of("ours", run(1.0), ours=True), of("peer", run(1.0, cpu=0.0))]))
    assert "cpu_seconds" not in rows["ours"].ratios


def test_a_client_without_runs_has_no_row() -> None:
    assert [row.client for row in summarised([of("failed"), of("peer", run(1.0))])] == ["peer"]
