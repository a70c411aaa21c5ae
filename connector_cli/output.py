"""What commands print, and how they end: results on standard output, everything else on standard error.

Exit codes: 0 done; 1 failed, the reason is printed; 2 wrong usage or configuration, or the connector is unreachable.
"""

import asyncio
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import typer
from rich.console import Console

from connector_cli.configuration import InvalidConfigurationError
from connector_cli.management_client import ManagementError, UnreachableError
from connector_spi.errors import (
    ConfigurationError,
    ConnectorError,
    InvalidInputError,
    SecretNotFoundError,
    VaultForbiddenError,
)

FAILED: Final = 1
USAGE: Final = 2
INTERRUPTED: Final = 130
_UNAUTHORIZED: Final = 401
_OPERATORS_TURN: Final = (
    ConfigurationError,
    InvalidConfigurationError,
    InvalidInputError,
    SecretNotFoundError,
    UnreachableError,
    VaultForbiddenError,
)
"""What must be put right before it makes sense to try again."""

console = Console(highlight=False)
notes = Console(stderr=True, highlight=False)


def print_json(value: Any) -> None:
    """The value as JSON, for programs that read the output."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def print_json_lines(values: Iterable[Any]) -> None:
    """Each value as JSON on a line of its own, for programs that read the output while it comes."""
    for value in values:
        print(json.dumps(value, ensure_ascii=False))


def note(text: str) -> None:
    """A line for people, which does not disturb programs that read the output."""
    notes.print(text, markup=False, soft_wrap=True)


def fail(text: str, exit_code: int = FAILED) -> typer.Exit:
    """Print the reason; the caller raises what this returns."""
    notes.print(text, style="red", markup=False, soft_wrap=True)
    return typer.Exit(exit_code)


@contextmanager
def reported_errors() -> Iterator[None]:
    """Turn every error into its reason and an exit code; no error that we raise on purpose shows a traceback."""
    try:
        yield
    except ConnectorError as error:
        raise _reported(error) from None
    except BaseExceptionGroup as group:
        reason = _first_reason(group)
        if reason is None:
            raise
        raise _reported(reason) from None
    except asyncio.CancelledError:
        raise fail("Some work did not stop in time and was cut off; it goes on after the next start.") from None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def _reported(error: ConnectorError) -> typer.Exit:
    if isinstance(error, InvalidConfigurationError):
        lines = [f"  {problem.message}" for problem in error.problems]
        return fail("\n".join(["The configuration cannot be used:", *lines]), USAGE)
    unauthorized = isinstance(error, ManagementError) and error.status == _UNAUTHORIZED
    code = USAGE if unauthorized or isinstance(error, _OPERATORS_TURN) else FAILED
    return fail(f"{error.message}{_hint(error)}", code)


def _hint(error: ConnectorError) -> str:
    if isinstance(error, SecretNotFoundError):
        return f"\n  connector vault set {error.alias} --config FILE"
    if isinstance(error, ManagementError) and error.status == _UNAUTHORIZED:
        return "\n  Set CONNECTOR_API_KEY to the key of the management API."
    if isinstance(error, ManagementError) or not error.advice:
        # The connector's answer brings its own remedy.
        return ""
    return f"\n  {error.advice}"


def _first_reason(group: BaseExceptionGroup[BaseException]) -> ConnectorError | None:
    """The first error of ours in the group, when there is nothing else in it."""
    ours, others = group.split(ConnectorError)
    if ours is None or others is not None:
        return None
    error: BaseException = ours
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error if isinstance(error, ConnectorError) else None
