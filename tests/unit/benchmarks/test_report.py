"""What people and programs read of a benchmark."""

import json

import pytest

from benchmarks.clients.sdk import SdkClient
from benchmarks.measurement import Measurement
from benchmarks.report import BEGIN, END, PAGE, Circumstances, as_json, markdown, replaced_between_markers
from benchmarks.runner import Group
from benchmarks.servers.stub import StubServer
from benchmarks.shapes import MEBIBYTE, Shape

CIRCUMSTANCES = Circumstances("make benchmark", "a machine", "2026-01-31", 2, 0.25)


@pytest.fixture
def group() -> Group:
    clients = [SdkClient("sync"), SdkClient("aio")]
    found = Group(StubServer(), Shape("mid", 50, 20 * MEBIBYTE), clients)
    found.runs["sdk"] = [Measurement(2.0, 1.0, 100 * MEBIBYTE, 60 * MEBIBYTE)]
    found.failures["sdk-aio"] = "python ended with 1.\nTraceback\n  File ...\nTypeError: no\n"
    return found


def test_the_table_shows_medians_and_ratios(group: Group) -> None:
    text = markdown([group], CIRCUMSTANCES)
    assert "### stub, mid: 50 x 20 MiB" in text
    assert "| sdk | 2.00 | 1.00 | 100 | 40 | 1.00 | 1.00 | 1.00 |" in text
    assert "Measured 2026-01-31 on a machine" in text
    assert "Load of the machine just before: 0.2" in text


def test_a_client_that_failed_is_named_with_its_first_and_last_word(group: Group) -> None:
    assert "No result of sdk-aio: python ended with 1. TypeError: no" in markdown([group], CIRCUMSTANCES)


def test_the_json_holds_every_run(group: Group) -> None:
    [told] = json.loads(as_json([group], CIRCUMSTANCES))["groups"]
    assert told["runs"]["sdk"][0]["wall_seconds"] == 2.0
    assert told["rows"][0]["medians"]["rss_above_idle_mib"] == 40
    assert set(told["failures"]) == {"sdk-aio"}


def test_only_what_stands_between_the_markers_is_replaced() -> None:
    page = f"# Title\n{BEGIN}\nold\n{END}\nend\n"
    assert replaced_between_markers(page, "new") == f"# Title\n{BEGIN}\n\nnew\n\n{END}\nend\n"


def test_a_page_without_markers_is_left_alone() -> None:
    with pytest.raises(ValueError, match="no lines"):
        replaced_between_markers("# Title\n", "new")


def test_the_page_of_this_repository_has_the_markers() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert "new" in replaced_between_markers(page, "new")
