"""`connector transfer`, `connector status` and `connector deprovision`."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer
from rich.table import Column, Table

from connector_cli.commands.destination import (
    AccessOption,
    Container,
    Folder,
    IfExistsOption,
    Into,
    destination_members,
)
from connector_cli.commands.options import (
    DEFAULT_URL,
    ApiKey,
    AsJson,
    CounterpartyAddress,
    ProcessId,
    Url,
    calling,
)
from connector_cli.commands.waiting import StillRunningError, ended_badly, moved_by, placed_by, reason_of, wait_for_end
from connector_cli.management_client import ENDED, PROTOCOL, ManagementClient
from connector_cli.output import INTERRUPTED, console, fail, note, print_json, reported_errors
from connector_cli.pulled_data import shown_address

PUSH: Final = "AzureStorage-PUSH"
_SHOWN: Final = 50

Agreement = Annotated[str, typer.Argument(metavar="AGREEMENT-ID", help="What `connector negotiate` printed.")]
TransferType = Annotated[
    str, typer.Option("--type", help="AzureStorage-PUSH, AzureStorage-PULL or HttpData-PULL; the catalog lists them.")
]
Account = Annotated[
    str | None,
    typer.Option(
        "--account",
        help="Your storage account; its key is in your connector's vault. With a pull, your connector's data plane "
        "copies the data there; without it, you fetch the data yourself.",
    ),
]
ChosenId = Annotated[
    str | None, typer.Option("--id", help="Your own process id: the same command again then finds the same transfer.")
]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Return as soon as the request is accepted.")]
Patience = Annotated[
    float | None, typer.Option("--timeout", min=1, help="Seconds to wait; the transfer goes on after that.")
]


def transfer(
    address: CounterpartyAddress,
    agreement: Agreement,
    *,
    transfer_type: TransferType = PUSH,
    account: Account = None,
    container: Container = None,
    into: Into = None,
    folder: Folder = None,
    if_exists: IfExistsOption = None,
    access: AccessOption = None,
    process_id: ChosenId = None,
    no_wait: NoWait = False,
    timeout: Patience = None,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = "",
    as_json: AsJson = False,
) -> None:
    """Fetch the data of an agreement into a container of your storage account, and wait with progress.

    Ctrl-C stops waiting; the transfer goes on. Exit code 1 means that it was terminated; the reason is printed.

    A pull without --account is waited for until its data can be fetched. What is printed then holds no secret:
    `connector fetch` downloads the data, `connector address` prints the address with its token, and `connector
    complete` ends the transfer.

    Example: connector transfer https://provider.example/protocol/2025-1 AGREEMENT-ID --account consumeraccount

    Example: connector transfer https://provider.example/protocol/2025-1 AGREEMENT-ID --account acc --into my-container

    Example: connector transfer https://provider.example/protocol/2025-1 AGREEMENT-ID --account acc --no-wait --json

    Example: connector transfer https://provider.example/protocol/2025-1 AGREEMENT-ID --type HttpData-PULL
    """
    if account is None and not transfer_type.upper().endswith("-PULL"):
        raise typer.BadParameter("is needed for a push: the data goes there", param_hint="--account")
    body: dict[str, Any] = {
        "contractId": agreement,
        "counterPartyAddress": address,
        "protocol": PROTOCOL,
        "transferType": transfer_type,
        **destination_members(
            account, container=container, into=into, folder=folder, if_exists=if_exists, access=access
        ),
    }
    with reported_errors():
        started = calling(url, api_key, lambda c: c.create("transferprocesses", body | _chosen(process_id)))
        note(f"Transfer {started}")
        if no_wait:
            process = _first_look(url, api_key, started)
        else:
            until = ENDED if account is not None else ENDED | {"STARTED"}
            process = _waited(url, api_key, started, timeout, until=until, silent=as_json)
        if account is None and process["state"] == "STARTED":
            process |= _served(url, api_key, started)
    _print_process(process, as_json=as_json, with_reason=False)
    if ended_badly(process):
        raise fail(f"TERMINATED: {reason_of(process) or 'no reason was given'}")


def status(
    process_id: Annotated[
        str | None, typer.Argument(metavar="PROCESS-ID", help="One transfer; all recent ones when left out.")
    ] = None,
    *,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = "",
    as_json: AsJson = False,
) -> None:
    """Show one transfer, or the most recent ones.

    Example: connector status

    Example: connector status PROCESS-ID --json
    """
    with reported_errors():
        if process_id is not None:
            _print_process(_first_look(url, api_key, process_id), as_json=as_json)
            return
        query = {"sortField": "createdAt", "sortOrder": "DESC", "limit": _SHOWN}
        processes = calling(url, api_key, lambda client: client.call("POST", "/v3/transferprocesses/request", query))
    if as_json:
        print_json(processes)
        return
    table = Table(
        *(Column(name, overflow="fold") for name in ("Transfer", "Since", "Role", "State", "Asset", "Counterparty"))
    )
    for process in processes:
        since = datetime.fromtimestamp(process["stateTimestamp"] / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        row = (process["@id"], since, process["type"].lower(), process["state"], process["assetId"])
        table.add_row(*row, process["counterPartyId"])
    console.print(table if table.rows else "There are no transfers.")


def deprovision(
    process_id: ProcessId,
    *,
    no_wait: NoWait = False,
    timeout: Annotated[float, typer.Option("--timeout", min=1, help="Seconds to wait for the end.")] = 60,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = "",
    as_json: AsJson = False,
) -> None:
    """Delete the container that was made for a transfer which has ended, and what is left of its secrets.

    Example: connector deprovision PROCESS-ID
    """

    async def work(client: ManagementClient) -> dict[str, Any]:
        if no_wait:
            await client.call("POST", f"/v3/transferprocesses/{process_id}/deprovision")
        else:
            await client.deprovision(process_id, wait_seconds=timeout)
        return await client.transfer(process_id)

    with reported_errors():
        process = calling(url, api_key, work)
    _print_process(process, as_json=as_json)


def _chosen(process_id: str | None) -> dict[str, str]:
    return {"@id": process_id} if process_id else {}


def _served(url: str, api_key: str, process_id: str) -> dict[str, Any]:
    """Where the data of a running pull is fetched, without what opens it."""
    address = calling(url, api_key, lambda client: client.data_address(process_id))
    return {"endpointDataReference": shown_address(address)}


def _first_look(url: str, api_key: str, process_id: str) -> dict[str, Any]:
    return calling(url, api_key, lambda client: client.transfer(process_id))


def _waited(
    url: str, api_key: str, process_id: str, timeout: float | None, *, until: frozenset[str], silent: bool
) -> dict[str, Any]:
    """The process in a state that was waited for; told on the way out when it goes on without us."""
    goes_on = f"The transfer goes on. Look again with: connector status {process_id}"
    try:
        return calling(
            url,
            api_key,
            lambda client: wait_for_end(
                client, process_id, patience_seconds=timeout, show_progress=not silent, until=until
            ),
        )
    except StillRunningError as error:
        raise fail(f"{error.message} {goes_on}") from None
    except KeyboardInterrupt:
        raise fail(goes_on, INTERRUPTED) from None


def _print_process(process: dict[str, Any], *, as_json: bool, with_reason: bool = True) -> None:
    if as_json:
        print_json(process)
        return
    console.print(f"{process['@id']}  {process['state']}", markup=False)
    destination = process.get("dataDestination", {})
    facts = {
        "asset": process.get("assetId"),
        "counterparty": process.get("counterPartyId"),
        "container": destination.get("container"),
        "folder": destination.get("folderName"),
        "placed": placed_by(process),
        "moved": moved_by(process),
        "reason": reason_of(process) if with_reason else "",
    }
    served = process.get("endpointDataReference", {})
    for name, value in (facts | served).items():
        if value:
            console.print(f"  {name:<13} {value}", markup=False, soft_wrap=True)
    if served:
        note(f"Fetch the data:       connector fetch {process['@id']} --to FOLDER")
        note(f"Its address, secret:  connector address {process['@id']}")
        note(f"Once you have it:     connector complete {process['@id']}")
