"""What can be chosen: shapes, samples, options, the data plane's settings."""

import tomllib

import pytest

from benchmarks.__main__ import command, main, parser
from benchmarks.clients.data_plane_process import configuration_text
from benchmarks.clients.registry import CLIENTS, SMOKE_CLIENTS
from benchmarks.servers.azurite import object_content, object_name
from benchmarks.shapes import KIBIBYTE, MEBIBYTE, SHAPES, SMOKE_SHAPES, Shape
from benchmarks.stage import sample
from connector_cli.settings import DataPlaneSection


def test_the_shapes_are_those_that_results_are_compared_in() -> None:
    assert {name: shape.text for name, shape in SHAPES.items()} == {
        "one": "1 x 1,024 MiB",
        "mid": "50 x 20 MiB",
        "small": "2,000 x 64 KiB",
    }
    assert set(SMOKE_SHAPES) == set(SHAPES)


def test_a_smaller_shape_has_fewer_objects_or_one_that_is_smaller() -> None:
    assert SHAPES["mid"].scaled(0.1) == Shape("mid", 5, 20 * MEBIBYTE)
    assert SHAPES["one"].scaled(0.25).total_bytes == 256 * MEBIBYTE
    assert Shape("small", 2, 64 * KIBIBYTE).scaled(0.001).objects == 1


def test_a_sample_has_the_first_and_the_last() -> None:
    assert sample([str(number) for number in range(100)]) == ["0", "50", "99"]
    assert sample(["only"]) == ["only"]


def test_objects_differ_and_have_their_size() -> None:
    first, second = object_content(0, 3 * MEBIBYTE + 7), object_content(1, 3 * MEBIBYTE + 7)
    assert len(first) == len(second) == 3 * MEBIBYTE + 7
    assert first != second
    assert sorted(object_name(index) for index in range(1000)) == [object_name(index) for index in range(1000)]


@pytest.mark.parametrize("arguments", [["--shapes=huge"], ["--clients=ours,nobody"], ["--runs=0"], ["--servers="]])
def test_what_is_not_known_is_refused_with_the_choices(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert arguments[0].partition("=")[0] in capsys.readouterr().err


def test_a_smoke_run_has_every_client_that_needs_no_program_of_others() -> None:
    assert {CLIENTS[name].is_ours for name in SMOKE_CLIENTS} == {True, False}
    assert {name for name, client in CLIENTS.items() if client.is_ours} <= set(SMOKE_CLIENTS)


def test_the_data_plane_takes_the_settings_that_it_is_given() -> None:
    text = configuration_text(
        "http://127.0.0.1:1/{account}",
        19195,
        control_plane="http://127.0.0.1:2/signaling",
        settings={"copy_mode": "streamed", "max_objects_in_parallel": 16},
    )
    section = DataPlaneSection.model_validate(tomllib.loads(text)["data_plane"])
    assert (section.copy_mode, section.max_objects_in_parallel) == ("streamed", 16)


def test_the_command_that_is_told_does_the_same_again_and_names_no_file_of_this_machine() -> None:
    options = parser().parse_args(
        ["--servers=stub", "--shapes", "one,mid", "--runs=3", "--json=/x.json", "--write-docs"]
    )
    assert command(options) == "make benchmark ARGS='--servers=stub --shapes=one,mid --runs=3'"
    assert command(parser().parse_args([])) == "make benchmark"
    everything = ["--clients=sdk", "--scale=0.5", "--latency-ms=5", "--smoke"]
    assert command(parser().parse_args(everything)) == f"make benchmark ARGS='{' '.join(everything)}'"
