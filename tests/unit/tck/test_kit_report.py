"""A kit's output is believed line by line, and only when nothing is missing."""

import pytest

from tests.tck.kit_report import KitReport

GOOD = """\
Started: DP_C_PULL:01-01: Verify something
SUCCESSFUL: DP_C_PULL:01-01
SUCCESSFUL: DP_P_PUSH:04-01: Verify async DataFlowStartMessage
Test run complete
"""


def test_every_result_line_is_counted_once() -> None:
    report = KitReport.of(GOOD + GOOD)
    assert report.successful == {"DP_C_PULL:01-01", "DP_P_PUSH:04-01"}
    assert report.passed(2)
    assert str(report) == "2 passed, 0 failed"


@pytest.mark.parametrize("expected", [1, 3])
def test_fewer_or_more_tests_than_there_are_is_a_failure(expected: int) -> None:
    assert not KitReport.of(GOOD).passed(expected)


@pytest.mark.parametrize("result", ["FAILED", "ABORTED"])
def test_a_test_that_failed_once_has_failed(result: str) -> None:
    report = KitReport.of(f"{result}: DP_C_PULL:01-01\n" + GOOD)
    assert not report.passed(2)
    assert "failed: DP_C_PULL:01-01" in str(report)


def test_a_kit_that_ran_nothing_has_not_passed() -> None:
    assert not KitReport.of("Test run complete\n").passed(28)
