"""Waits for the end of a transfer, with a progress bar of bytes."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from connector_cli.management_client import ENDED, ManagementClient, ManagementError, UnreachableError
from connector_cli.output import notes

_POLL_SECONDS: Final = 0.25
_SILENCE_SECONDS: Final = 120.0
"""How long the connector may be unreachable, restarting for one, before the command gives up."""


class StillRunningError(ManagementError):
    """The transfer has not ended in the time that was given."""

    code = "StillRunning"
    cause = "the transfer has not ended within the time that the command was given"
    remedy = "It goes on. Look again with `connector status ID`, or wait longer with --timeout."


async def wait_for_end(
    client: ManagementClient,
    process_id: str,
    *,
    patience_seconds: float | None,
    show_progress: bool,
    until: frozenset[str] = ENDED,
) -> dict[str, Any]:
    """The transfer once it has ended, or is in one of the states `until`.

    Raises:
        StillRunningError: it has not ended after `patience_seconds`.
        UnreachableError: the connector has not answered for two minutes.
        ManagementError: the connector refused to tell.
    """
    try:
        async with asyncio.timeout(patience_seconds):
            with _bar(show_progress) as bar:
                return await _polled(client, process_id, bar, until)
    except TimeoutError:
        raise StillRunningError(f"Not ended after {patience_seconds:g} seconds.", status=0) from None


def ended_badly(process: dict[str, Any]) -> bool:
    """Whether the transfer has ended without all the data."""
    return process["state"] == "TERMINATED" or (process["state"] in ENDED and bool(process.get("errorDetail")))


def reason_of(process: dict[str, Any]) -> str:
    """Why the transfer failed; empty when it did not."""
    if not process.get("errorDetail"):
        return ""
    return f"{process['errorDetail']} ({process.get('errorCode', 'no code')})"


def moved_by(process: dict[str, Any]) -> str:
    """What was moved so far; empty when that is not known."""
    progress = process.get("progress")
    if not progress:
        return ""
    return f"{progress.get('objectsCopied', 0)} objects, {decimal(progress.get('bytesCopied', 0))}"


def placed_by(process: dict[str, Any]) -> str:
    """What of it is in a container that was there before; empty when nothing is moved into one."""
    placement = process.get("placement")
    if not placement:
        return ""
    placed = placement["objectsPlaced"] + placement["objectsRenamed"]
    text = f"{placed} objects, {decimal(placement['bytesPlaced'])}"
    if placement["objectsRenamed"]:
        text += f", {placement['objectsRenamed']} of them under other names"
    if placement["objectsSkipped"]:
        text += f"; {placement['objectsSkipped']} left out"
    return text


class _Bar:
    """The bar on the screen."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID = progress.add_task("", total=None)

    def show(self, state: str, facts: dict[str, Any]) -> None:
        """Draw the state and the bytes."""
        self._progress.update(
            self._task, description=state, completed=facts.get("bytesCopied", 0), total=facts.get("bytesTotal")
        )


async def _polled(client: ManagementClient, process_id: str, bar: _Bar | None, until: frozenset[str]) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    answered_at = loop.time()
    while True:
        try:
            process = await client.transfer(process_id)
        except UnreachableError:
            if loop.time() - answered_at > _SILENCE_SECONDS:
                raise
            if bar:
                bar.show("connector does not answer", {})
        else:
            answered_at = loop.time()
            if bar:
                bar.show(process["state"], process.get("progress") or {})
            if process["state"] in until:
                return process
        await asyncio.sleep(_POLL_SECONDS)


@contextmanager
def _bar(wanted: bool) -> Iterator[_Bar | None]:
    """A bar when somebody looks at it."""
    if not (wanted and notes.is_terminal):
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=notes, transient=True) as progress:
        yield _Bar(progress)
