"""`connector explain`: what an error code means."""

import difflib
from typing import Annotated

import typer

from connector_cli.error_catalogue import Entry, by_area, entries, entry
from connector_cli.output import USAGE, fail, print_json


def explain(
    code: Annotated[
        str | None, typer.Argument(metavar="CODE", help="Code of an error, in any case; all of them when left out.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Explain an error: its cause, what to do about it, and whether it is tried again.

    The code stands in the answers of the management API, as errorCode of a transfer, in logs, and in brackets behind
    what commands print. The same texts are in docs/troubleshooting.md.

    Example: connector explain AuthenticationFailed

    Example: connector explain --json
    """
    if code is None:
        _print_all(as_json=as_json)
        return
    found = entry(code)
    if found is None:
        raise fail(f"No error has the code {code!r}.{_nearest(code)}", USAGE)
    if as_json:
        print_json(found.document)
    else:
        print(_text(found))


def _print_all(*, as_json: bool) -> None:
    if as_json:
        print_json([found.document for found in entries()])
        return
    for area, found in by_area():
        print(f"{area.title}:")
        for each in found:
            print(f"  {each.code}: {each.cause}")


def _text(found: Entry) -> str:
    end = "It is tried again." if found.retried else "It is final: nothing is tried again."
    checks = [f"  - {check}" for check in found.checks]
    lines = [f"{found.code}: {found.cause}.", end, f"Remedy: {found.remedy}"]
    return "\n".join([*lines, "Look at, in this order:", *checks] if checks else lines)


def _nearest(code: str) -> str:
    by_lower = {found.code.lower(): found.code for found in entries()}
    near = difflib.get_close_matches(code.lower(), by_lower, n=3)
    # Codes are long: whoever knows a part of one has to find it as well.
    near += [lower for lower in by_lower if code.lower() in lower and lower not in near][:5]
    shown = ", ".join(by_lower[lower] for lower in near)
    return f" Did you mean {shown}?" if shown else " `connector explain` lists all."
