"""The results as a page for people and as JSON for programs."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psutil

from benchmarks.clients import Client
from benchmarks.runner import Group
from benchmarks.shapes import MEBIBYTE
from benchmarks.summary import METRICS, Row

_REPOSITORY: Final = Path(__file__).resolve().parent.parent
PAGE: Final = _REPOSITORY / "docs" / "benchmarks.md"
BEGIN: Final = "<!-- results: written by `make benchmark ARGS=--write-docs` -->"
END: Final = "<!-- end of results -->"
_GIBIBYTE: Final = 1024 * MEBIBYTE
_COLUMNS: Final = {
    "wall_seconds": ("wall s", ".2f"),
    "cpu_seconds": ("CPU s", ".2f"),
    "peak_rss_mib": ("peak MiB", ".0f"),
    "rss_above_idle_mib": ("above idle MiB", ".0f"),
}
_COMPARED: Final = ("wall_seconds", "cpu_seconds", "peak_rss_mib")


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Where and how it was measured."""

    command: str
    machine: str
    at: str
    runs: int
    load: float
    """How busy the machine was with other things just before: processes that wanted a core, over one minute."""

    @classmethod
    def now(cls, command: str, runs: int) -> "Circumstances":
        """This machine, today."""
        memory = psutil.virtual_memory().total / _GIBIBYTE
        machine = (
            f"{os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GiB of memory, {platform.system()} "
            f"{platform.release().split('-')[0]}, Python {platform.python_version()}"
        )
        return cls(command, machine, f"{datetime.now(UTC):%Y-%m-%d}", runs, os.getloadavg()[0])


def markdown(groups: Sequence[Group], circumstances: Circumstances) -> str:
    """The part of the page that is measured."""
    how = (
        f"Measured {circumstances.at} on {circumstances.machine}, all over loopback; medians of {circumstances.runs} "
        f"interleaved runs. Load of the machine just before: {circumstances.load:.1f} (0 is what it should be). "
        f"Made by:\n\n```sh\n{circumstances.command}\n```"
    )
    blocks = [how, *(_table(group) for group in groups), _who_is_who(groups)]
    return "\n\n".join(blocks)


def as_json(groups: Sequence[Group], circumstances: Circumstances) -> str:
    """Everything, every run too."""
    told = {
        "circumstances": asdict(circumstances),
        "groups": [
            {
                "server": group.server.name,
                "shape": asdict(group.shape),
                "rows": [asdict(row) for row in group.rows()],
                "runs": {client: [asdict(run) for run in runs] for client, runs in group.runs.items()},
                "failures": group.failures,
            }
            for group in groups
        ],
    }
    return json.dumps(told, indent=2)


def replaced_between_markers(page: str, results: str) -> str:
    """The page with other results.

    Raises:
        ValueError: it has no markers.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"The page has no lines {BEGIN!r} and {END!r}, between which the results go.")
    return f"{before}{BEGIN}\n\n{results}\n\n{END}{after}"


def _table(group: Group) -> str:
    headings = ["client", *(heading for heading, _ in _COLUMNS.values()), *(f"{_heading(m)} ratio" for m in _COMPARED)]
    lines = [
        f"### {group.server.name}, {group.shape.name}: {group.shape.text}",
        "",
        _line(headings),
        _line(["---", *["--:"] * (len(headings) - 1)]),
        *(_line(_cells(row)) for row in group.rows()),
    ]
    lines += [f"\nNo result of {client}: {_in_a_line(reason)}" for client, reason in group.failures.items()]
    return "\n".join(lines)


def _cells(row: Row) -> list[str]:
    name = f"**{row.client}**" if row.is_ours else row.client
    medians = [format(row.medians[metric], _COLUMNS[metric][1]) for metric in METRICS]
    ratios = [format(row.ratios[metric], ".2f") if metric in row.ratios else "" for metric in _COMPARED]
    return [name, *medians, *ratios]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _heading(metric: str) -> str:
    return _COLUMNS[metric][0].split()[0]


def _in_a_line(reason: str) -> str:
    """What failed, and the last thing that was said."""
    told = reason.replace(f"{_REPOSITORY}/", "")
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    return " ".join(dict.fromkeys([lines[0], lines[-1]]))[:400]


def _who_is_who(groups: Sequence[Group]) -> str:
    servers = {group.server.name: group.server.text for group in groups}
    clients: dict[str, Client] = {client.name: client for group in groups for client in group.clients}
    lines = [f"* `{name}`: {text}." for name, text in servers.items()]
    return "\n".join([*lines, *(f"* `{name}`: {client.text}." for name, client in clients.items())])
