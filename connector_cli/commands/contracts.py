"""`connector catalog` and `connector negotiate`: what a counterparty offers, and coming to an agreement about it."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from connector_cli.commands.options import (
    DEFAULT_URL,
    ApiKey,
    AsJson,
    CounterpartyAddress,
    CounterpartyId,
    Url,
    calling,
)
from connector_cli.management_client import ManagementClient, ManagementError
from connector_cli.output import console, note, print_json, print_json_lines, reported_errors

Asset = Annotated[str | None, typer.Argument(metavar="ASSET", help="Id of the asset; its first offer is taken.")]
Offer = Annotated[str | None, typer.Option("--offer", metavar="OFFER-ID", help="Take this very offer.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, max=5000, help="Datasets to ask for at once.")]
Whole = Annotated[bool, typer.Option("--all", help="The whole catalog: one dataset on each line, as JSON.")]
Patience = Annotated[float, typer.Option("--timeout", min=1, help="Seconds to wait for the end.")]


def catalog(
    address: CounterpartyAddress,
    participant: CounterpartyId,
    *,
    limit: Limit = None,
    whole: Whole = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = "",
    as_json: AsJson = False,
) -> None:
    """Show what a counterparty offers: as much as it gives at once, or everything.

    Example: connector catalog https://provider.example/protocol/2025-1 provider

    Example: connector catalog https://provider.example/protocol/2025-1 provider --all > datasets.jsonl
    """

    async def everything(client: ManagementClient) -> None:
        async for page in client.catalog_pages(address, participant, limit=limit):
            print_json_lines(datasets_of(page))

    with reported_errors():
        if whole:
            calling(url, api_key, everything)
            return
        found, following = calling(url, api_key, lambda client: client.catalog_page(address, participant, limit=limit))
    if as_json:
        print_json(found)
        return
    table = Table(*(Column(name, overflow="fold") for name in ("Asset", "Transfer types", "Offers")))
    for dataset in datasets_of(found):
        formats = sorted({str(d.get("format")) for d in _as_list(dataset.get("distribution")) if d.get("format")})
        offers = [str(offer.get("@id")) for offer in _as_list(dataset.get("hasPolicy"))]
        table.add_row(str(dataset.get("@id")), "\n".join(formats), "\n".join(offers))
    console.print(table if table.rows else "Nothing is offered to you.")
    if following:
        note("There is more: see --limit and --all.")


def negotiate(
    address: CounterpartyAddress,
    participant: CounterpartyId,
    *,
    asset: Asset = None,
    offer: Offer = None,
    timeout: Patience = 60,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = "",
    as_json: AsJson = False,
) -> None:
    """Negotiate an offer, wait for the end, and print the id of the agreement.

    Example: connector negotiate https://provider.example/protocol/2025-1 provider november-data

    Example: connector negotiate https://provider.example/protocol/2025-1 provider --offer OFFER-ID
    """
    if asset is None and offer is None:
        raise typer.BadParameter("name an ASSET or an --offer; `connector catalog` shows both")

    async def work(client: ManagementClient) -> dict[str, str]:
        asset_id, chosen = await _chosen_offer(client.catalog_pages(address, participant), asset, offer)
        agreement = await client.negotiate(address, participant, asset_id, chosen, wait_seconds=timeout)
        return {"agreementId": agreement, "assetId": asset_id, "offerId": str(chosen["@id"])}

    with reported_errors():
        result = calling(url, api_key, work)
    if as_json:
        print_json(result)
        return
    print(result["agreementId"])
    note(f"Agreed about {result['assetId']}. Next: connector transfer {address} {result['agreementId']} --account NAME")


def datasets_of(catalog: dict[str, Any]) -> list[dict[str, Any]]:
    """The datasets of a catalog."""
    return _as_list(catalog.get("dataset"))


def offer_in(catalog: dict[str, Any], asset: str | None, offer_id: str | None) -> tuple[str, dict[str, Any]] | None:
    """The asset's id and the offer, found by the asset, by the offer's id, or by both; None when there is none."""
    for dataset in datasets_of(catalog):
        for offer in _as_list(dataset.get("hasPolicy")):
            if asset in {None, dataset.get("@id")} and offer_id in {None, offer.get("@id")}:
                return str(dataset["@id"]), offer
    return None


async def _chosen_offer(
    pages: AsyncIterator[dict[str, Any]], asset: str | None, offer_id: str | None
) -> tuple[str, dict[str, Any]]:
    async for page in pages:
        if (found := offer_in(page, asset, offer_id)) is not None:
            return found
    wanted = f"the offer {offer_id}" if offer_id else f"an offer for {asset}"
    raise ManagementError(f"The counterparty's catalog does not hold {wanted}.", status=0)


def _as_list(value: Any) -> list[dict[str, Any]]:
    """Objects that the counterparty sent, as one or as a list; whatever else it sent is passed over."""
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, dict)]
