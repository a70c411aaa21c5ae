"""Where a transfer goes: a new container, or one that is there already. What `connector transfer` is told, checked."""

from enum import StrEnum
from typing import Annotated, Any

import typer


class IfExists(StrEnum):
    """What happens to an object whose name is taken."""

    REFUSE = "refuse"
    SKIP = "skip"
    RENAME = "rename"


class Access(StrEnum):
    """Where the provider is let in."""

    STAGING = "staging"
    DIRECTORY = "directory"
    CONTAINER = "container"


Container = Annotated[
    str | None, typer.Option("--container", help="Name of the container to create; a new one when left out.")
]
Into = Annotated[
    str | None,
    typer.Option(
        "--into",
        metavar="CONTAINER",
        help="A container that you have already. The data goes into a folder of its own there; nothing is overwritten.",
    ),
]
Folder = Annotated[str | None, typer.Option("--folder", help="That folder; named after the transfer when left out.")]
IfExistsOption = Annotated[
    IfExists | None,
    typer.Option(
        "--if-exists",
        help="For objects whose names are taken in the folder: end the transfer (refuse, the default), leave them out "
        "(skip), or place them under other names (rename).",
    ),
]
AccessOption = Annotated[
    Access | None,
    typer.Option(
        "--access",
        help="Where the provider writes: a private container beside yours (staging, the default), the folder alone "
        "(directory; the default where the account has a hierarchical namespace), or anywhere in your container "
        "(container: it could then overwrite what is there).",
    ),
]


def destination_members(
    account: str | None,
    *,
    container: str | None,
    into: str | None,
    folder: str | None,
    if_exists: IfExists | None,
    access: Access | None,
) -> dict[str, Any]:
    """The members of the request that say where the data goes.

    Raises:
        BadParameter: options that do not go together.
    """
    about_existing = {"--folder": folder, "--if-exists": if_exists, "--access": access}
    given = [name for name, value in about_existing.items() if value is not None]
    if into is None and given:
        raise typer.BadParameter("is for a container that you have already: name it with --into", param_hint=given[0])
    if into is not None and (container is not None or account is None):
        problem = "does not go with --container" if container is not None else "needs --account"
        raise typer.BadParameter(problem, param_hint="--into")
    members: dict[str, Any] = {"managedResources": into is None}
    if account is not None:
        properties = {"container": into or container, "folderName": folder, "ifExists": if_exists, "access": access}
        destination = {"type": "AzureStorage", "account": account}
        members["dataDestination"] = destination | {name: str(value) for name, value in properties.items() if value}
    return members
