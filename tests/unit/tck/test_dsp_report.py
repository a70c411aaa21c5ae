"""The kit of the Dataspace Protocol has passed when all that it enables, and all that we demand, was successful."""

import pytest

from tests.tck.dsp_report import DEMANDED, DspReport

ENABLED = [f"{family}:01-{number:02}" for family, count in DEMANDED.items() for number in range(1, count + 1)]


def output(*, enabled: list[str] = ENABLED, successful: list[str] = ENABLED, failed: tuple[str, ...] = ()) -> str:
    lines = [
        *(f"ENABLED: {test}" for test in enabled),
        "DISABLED: TP:02-04",
        *(f"[2026-11-21T14:59:03.23] SUCCESSFUL: {test}" for test in successful),
        *(f"[2026-11-21T14:59:03.24] FAILED: {test}" for test in failed),
        *(["[2026-11-21T14:59:03.25] Failures:"] if failed else []),
        *(f"{test} because" for test in failed),
    ]
    return "\n".join([*lines, "Test run complete\n"])


def test_all_of_them() -> None:
    report = DspReport.of(output())
    assert report.passed()
    assert not report.failures
    assert "TP          15       15        15         1" in str(report)
    assert "all         65       65        65         1" in str(report)


def test_a_failed_test_is_named_with_its_reason() -> None:
    report = DspReport.of(output(successful=ENABLED[1:], failed=(ENABLED[0],)))
    assert not report.passed()
    assert f"failed: {ENABLED[0]}" in str(report)
    assert report.failures == f"Failures:\n{ENABLED[0]} because\n"


def test_a_test_that_failed_and_was_successful_has_failed() -> None:
    assert not DspReport.of(output(failed=(ENABLED[0],))).passed()


def test_a_test_that_the_kit_enables_and_did_not_run_is_named() -> None:
    report = DspReport.of(output(successful=ENABLED[:-1]))
    assert not report.passed()
    assert f"not run: {ENABLED[-1]}" in str(report)


def test_a_kit_that_enables_fewer_than_we_demand_is_not_enough() -> None:
    assert not DspReport.of(output(enabled=ENABLED[1:], successful=ENABLED[1:])).passed()


def test_a_kit_that_enables_more_must_pass_them_too() -> None:
    more = [*ENABLED, "NEW:01-01"]
    assert not DspReport.of(output(enabled=more)).passed()
    assert DspReport.of(output(enabled=more, successful=more)).passed()


@pytest.mark.parametrize("nothing", ["", "Test run complete\n", "error: compilation failed\n"])
def test_a_kit_that_ran_nothing_has_not_passed(nothing: str) -> None:
    assert not DspReport.of(nothing).passed()


def test_what_a_kit_said_that_broke_off_is_kept() -> None:
    assert DspReport.of("error: compilation failed\n").failures == "error: compilation failed\n"
