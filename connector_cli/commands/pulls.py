"""`connector address`, `connector fetch` and `connector complete`: a running pull, from the consumer's side."""

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.filesize import decimal

from connector_cli.commands.options import DEFAULT_URL, ApiKey, AsJson, ProcessId, Url, calling
from connector_cli.management_client import ManagementClient
from connector_cli.output import console, note, print_json, reported_errors
from connector_cli.pulled_data import PulledData


def address(process_id: ProcessId, *, url: Url = DEFAULT_URL, api_key: ApiKey = "", as_json: AsJson = False) -> None:
    """Print where a running pull is fetched, with its token: whoever sees it can read the data.

    HttpData: GET `endpoint` with `Authorization: Bearer <authorization>` gives the object, or the list of the objects;
    GET of `endpoint` plus a name gives one, with ranges. AzureStorage: `endpoint` is the blob, `secret` its signature.

    Example: connector address PROCESS-ID --json > address.json

    Example: curl -H "Authorization: Bearer $(connector address ID --json | jq -r .authorization)" ENDPOINT
    """
    with reported_errors():
        found = calling(url, api_key, lambda client: client.data_address(process_id))
    if as_json:
        print_json(found)
        return
    for name, value in found.items():
        console.print(f"{name:<17} {value}", markup=False, soft_wrap=True)


def fetch(
    process_id: ProcessId,
    *,
    to: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="Where the files go; made when it is not there.")],
    then_complete: Annotated[
        bool, typer.Option("--complete", help="Then end the transfer: the provider stops serving it.")
    ] = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = "",
    as_json: AsJson = False,
) -> None:
    """Download all that a running pull serves; no file is overwritten.

    One object that the provider does not name gets the name of the asset.

    Example: connector fetch PROCESS-ID --to november --complete
    """

    async def work(client: ManagementClient) -> list[dict[str, Any]]:
        process = await client.transfer(process_id)
        data = PulledData(await client.data_address(process_id), single_name=quote(process["assetId"], safe=""))
        files = []
        async for name, size in data.fetch(to):
            files.append({"name": name, "size": size})
            note(f"{name}  {decimal(size)}")
        if then_complete:
            await client.complete(process_id)
        return files

    with reported_errors():
        files = calling(url, api_key, work)
    if as_json:
        print_json(files)
        return
    console.print(f"{len(files)} objects, {decimal(sum(f['size'] for f in files))} in {to}", markup=False)
    if not then_complete:
        note(f"The provider goes on serving them. To end that: connector complete {process_id}")


def complete(process_id: ProcessId, *, url: Url = DEFAULT_URL, api_key: ApiKey = "") -> None:
    """End a running pull whose data you have; its address opens nothing after that.

    Example: connector complete PROCESS-ID
    """
    with reported_errors():
        calling(url, api_key, lambda client: client.complete(process_id))
    note(f"Look again with: connector status {process_id}")
