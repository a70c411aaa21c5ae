"""Options that many commands share."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Final, TypeVar

import typer

from connector_cli.management_client import ManagementClient

Result = TypeVar("Result")

DEFAULT_URL: Final = "http://127.0.0.1:19193/management"


def _checked_url(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise typer.BadParameter("must begin with http:// or https://")
    return url


Config = Annotated[Path, typer.Option("--config", "-c", metavar="FILE", help="The TOML file; examples are in deploy/.")]
Url = Annotated[
    str,
    typer.Option(
        "--url", envvar="CONNECTOR_URL", callback=_checked_url, help="Your connector's management API, path included."
    ),
]
ApiKey = Annotated[
    str,
    typer.Option(
        "--api-key",
        envvar="CONNECTOR_API_KEY",
        show_default=False,
        help="Its key. Better given by the variable: arguments can be seen by other users of this machine.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
CounterpartyAddress = Annotated[
    str,
    typer.Argument(
        metavar="ADDRESS", callback=_checked_url, help="Dataspace Protocol of the counterparty, with the version path."
    ),
]
CounterpartyId = Annotated[str, typer.Argument(metavar="PARTICIPANT", help="The counterparty's participant id.")]
ProcessId = Annotated[str, typer.Argument(metavar="PROCESS-ID", help="The id that `connector transfer` printed.")]


def calling(url: str, api_key: str, work: Callable[[ManagementClient], Awaitable[Result]]) -> Result:
    """Do `work` with a client of the management API.

    Raises:
        ManagementError: as the client does.
    """

    async def call() -> Result:
        async with ManagementClient(url, api_key) as client:
            return await work(client)

    return asyncio.run(call())
