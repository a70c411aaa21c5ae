"""`python -m benchmarks`: see `--help`."""

import argparse
import asyncio
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from benchmarks.clients.registry import CLIENTS, SMOKE_CLIENTS
from benchmarks.errors import BenchmarkError, UnavailableError
from benchmarks.fetching import fetch_peers
from benchmarks.report import PAGE, Circumstances, as_json, markdown, replaced_between_markers
from benchmarks.runner import Group, run_group
from benchmarks.servers import Server
from benchmarks.servers.azurite import AzuriteServer
from benchmarks.servers.stub import StubServer
from benchmarks.shapes import SHAPES, SMOKE_SHAPES, Shape
from benchmarks.tools import find_go

_SERVERS = ("stub", "azurite")
_DEFAULT_RUNS = 5


def main(arguments: Sequence[str]) -> int:
    """Run what is asked for; 1 when a run of ours failed, or any run of a smoke run."""
    options = parser().parse_args(arguments)
    circumstances = Circumstances.now(command(options), _runs(options))
    try:
        if options.fetch_peers:
            fetch_peers()
        groups = asyncio.run(_run(options))
    except BenchmarkError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    results = markdown(groups, circumstances)
    sys.stdout.write(results + "\n")
    if options.json:
        options.json.write_text(as_json(groups, circumstances) + "\n")
    if options.write_docs:
        PAGE.write_text(replaced_between_markers(PAGE.read_text(), results))
    return 1 if any(_failed(group, options) for group in groups) else 0


def command(options: argparse.Namespace) -> str:
    """The command that does the same again, without what only says where results go."""
    chosen = {name: getattr(options, name) for name in ("servers", "shapes", "clients")}
    words = [f"--{name}={','.join(names)}" for name, names in chosen.items() if names]
    words += [f"--runs={options.runs}"] if options.runs else []
    words += [f"--scale={options.scale:g}"] if options.scale != 1 else []
    words += [f"--latency-ms={options.latency_ms:g}"] if options.latency_ms else []
    words += ["--smoke"] if options.smoke else []
    return "make benchmark" + (f" ARGS='{' '.join(words)}'" if words else "")


async def _run(options: argparse.Namespace) -> list[Group]:
    clients = [CLIENTS[name] for name in options.clients or (SMOKE_CLIENTS if options.smoke else CLIENTS)]
    return [
        await run_group(server, shape, clients, runs=_runs(options))
        for server in _servers(options)
        for shape in _shapes(options)
    ]


def _servers(options: argparse.Namespace) -> list[Server]:
    chosen = options.servers or _default_servers(smoke=options.smoke)
    servers: dict[str, Server] = {
        "stub": StubServer(latency_milliseconds=options.latency_ms, checks=options.smoke),
        "azurite": AzuriteServer(),
    }
    return [servers[name] for name in chosen]


def _default_servers(*, smoke: bool) -> Sequence[str]:
    """Both, for a smoke run the quicker one; without Go there is no stub."""
    try:
        find_go()
    except UnavailableError as error:
        sys.stderr.write(f"No stub: {error}\n")
        return ("azurite",)
    return ("stub",) if smoke else _SERVERS


def _shapes(options: argparse.Namespace) -> list[Shape]:
    known = SMOKE_SHAPES if options.smoke else SHAPES
    return [known[name].scaled(options.scale) for name in options.shapes or known]


def _runs(options: argparse.Namespace) -> int:
    runs: int = options.runs or (1 if options.smoke else _DEFAULT_RUNS)
    return runs


def _failed(group: Group, options: argparse.Namespace) -> bool:
    return any(options.smoke or CLIENTS[name].is_ours for name in group.failures)


def parser() -> argparse.ArgumentParser:
    """What can be asked for."""
    options = argparse.ArgumentParser("benchmarks", description="Compare the data plane with other ways to copy blobs.")
    options.add_argument("--servers", type=_names(_SERVERS), metavar="NAMES", help=f"of {', '.join(_SERVERS)}")
    options.add_argument("--shapes", type=_names(SHAPES), metavar="NAMES", help=f"of {', '.join(SHAPES)}")
    options.add_argument("--clients", type=_names(CLIENTS), metavar="NAMES", help=f"of {', '.join(CLIENTS)}")
    options.add_argument("--runs", type=_positive_int, help=f"of each client (default {_DEFAULT_RUNS})")
    options.add_argument("--scale", type=float, default=1.0, help="make the shapes smaller, such as 0.1")
    options.add_argument("--latency-ms", type=float, default=0.0, help="the stub waits so long before each answer")
    options.add_argument("--smoke", action="store_true", help="tiny shapes, once; the stub checks every byte")
    options.add_argument("--fetch-peers", action="store_true", help="first get rclone and AzCopy into .run/benchmarks")
    options.add_argument("--json", type=Path, metavar="FILE", help="write every run there")
    options.add_argument("--write-docs", action="store_true", help="write the tables into docs/benchmarks.md")
    return options


def _names(known: Iterable[str]) -> Callable[[str], list[str]]:
    """Reads names with commas between them."""
    allowed = list(known)

    def read(text: str) -> list[str]:
        names = text.split(",")
        unknown = [name for name in names if name not in allowed]
        if unknown:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: choose from {', '.join(allowed)}")
        return names

    return read


def _positive_int(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: a number from 1 on is needed")
    return int(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
