"""`connector negotiation ...`: look at negotiations, and decide about those that wait for a decision."""

import json
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.table import Column, Table

from connector_cli.commands.options import DEFAULT_URL, ApiKey, AsJson, Url, calling
from connector_cli.management_client import CONTEXT, ManagementClient
from connector_cli.output import console, note, print_json, reported_errors

_SHOWN: Final = 50
_ODRL: Final = "http://www.w3.org/ns/odrl.jsonld"

NegotiationId = Annotated[str, typer.Argument(metavar="NEGOTIATION-ID", help="`connector negotiation list` shows it.")]
Terms = Annotated[
    Path,
    typer.Option(
        "--policy",
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help='JSON: an ODRL policy, such as {"permission": [{"action": "use"}]}.',
    ),
]
OnlyPending = Annotated[bool, typer.Option("--pending", help="Only those that wait for a decision of yours.")]
Reason = Annotated[str, typer.Option("--reason", help="The counterparty reads it.")]

app = typer.Typer(no_args_is_help=True, help="Look at negotiations, and decide about those that wait for you.")


@app.command("list")
def list_all(
    *, pending: OnlyPending = False, url: Url = DEFAULT_URL, api_key: ApiKey = "", as_json: AsJson = False
) -> None:
    """Show the most recent negotiations.

    Example: connector negotiation list --pending
    """
    query: dict[str, Any] = {"limit": _SHOWN, "sortField": "createdAt", "sortOrder": "DESC"}
    if pending:
        query["filterExpression"] = [{"operandLeft": "pending", "operator": "=", "operandRight": True}]
    body = {"@context": CONTEXT, **query}
    with reported_errors():
        found = calling(url, api_key, lambda client: client.call("POST", "/v3/contractnegotiations/request", body))
    if as_json:
        print_json(found)
        return
    table = Table(
        *(Column(name, overflow="fold") for name in ("Negotiation", "Role", "With", "Asset", "State", "Waits"))
    )
    for each in found:
        waits = "for you" if each.get("pending") else ""
        facts = ("@id", "type", "counterPartyId", "assetId", "state")
        table.add_row(*(str(each.get(fact, "")) for fact in facts), waits)
    console.print(table if table.rows else "There are no such negotiations.")


@app.command()
def show(negotiation: NegotiationId, *, url: Url = DEFAULT_URL, api_key: ApiKey = "", as_json: AsJson = False) -> None:
    """Show one negotiation with the terms on the table.

    Example: connector negotiation show NEGOTIATION-ID
    """
    with reported_errors():
        found = calling(url, api_key, lambda client: client.negotiation(negotiation))
    if as_json:
        print_json(found)
        return
    told = ("type", "counterPartyId", "assetId", "state", "contractAgreementId", "errorDetail")
    for name in told:
        if found.get(name):
            console.print(f"{name}: {found[name]}", markup=False)
    console.print_json(json.dumps(found.get("offer", {})))
    if found.get("pending"):
        note("It waits for you: connector negotiation accept, agree, counter or terminate.")


@app.command()
def accept(negotiation: NegotiationId, *, url: Url = DEFAULT_URL, api_key: ApiKey = "") -> None:
    """Accept the provider's offer, as the consumer. Read its terms before: `connector negotiation show`."""
    _decide(url, api_key, negotiation, "accept")


@app.command()
def agree(negotiation: NegotiationId, *, url: Url = DEFAULT_URL, api_key: ApiKey = "") -> None:
    """Agree to the terms on the table, as the provider."""
    _decide(url, api_key, negotiation, "agree")


@app.command()
def verify(negotiation: NegotiationId, *, url: Url = DEFAULT_URL, api_key: ApiKey = "") -> None:
    """Confirm the agreement, as the consumer, where that is not left to the connector."""
    _decide(url, api_key, negotiation, "verify")


@app.command()
def finalize(negotiation: NegotiationId, *, url: Url = DEFAULT_URL, api_key: ApiKey = "") -> None:
    """Make the agreement binding, as the provider, where that is not left to the connector."""
    _decide(url, api_key, negotiation, "finalize")


@app.command()
def counter(negotiation: NegotiationId, policy: Terms, *, url: Url = DEFAULT_URL, api_key: ApiKey = "") -> None:
    """Put other terms on the table: as the consumer against an offer, as the provider against a request.

    Example: connector negotiation counter NEGOTIATION-ID --policy terms.json
    """
    terms = _policy_in(policy)

    async def work(client: ManagementClient) -> str:
        found = await client.negotiation(negotiation)
        verb = "request" if found["type"] == "CONSUMER" else "offer"
        await client.decide(negotiation, verb, {"policy": {"@context": _ODRL, "@type": "Offer", **terms}})
        return verb

    with reported_errors():
        verb = calling(url, api_key, work)
    note(f"The counterparty gets your {verb}. Next: connector negotiation show {negotiation}")


@app.command()
def terminate(negotiation: NegotiationId, *, reason: Reason = "", url: Url = DEFAULT_URL, api_key: ApiKey = "") -> None:
    """End a negotiation; the counterparty is told the reason."""
    _decide(url, api_key, negotiation, "terminate", {"reason": reason} if reason else None)


def _decide(url: str, api_key: str, negotiation: str, verb: str, body: dict[str, Any] | None = None) -> None:
    with reported_errors():
        calling(url, api_key, lambda client: client.decide(negotiation, verb, body))
    note(f"Noted. Next: connector negotiation show {negotiation}")


def _policy_in(file: Path) -> dict[str, Any]:
    try:
        terms = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"{file} is no JSON: {error}", param_hint="--policy") from None
    if not isinstance(terms, dict):
        raise typer.BadParameter(f"{file} must hold one JSON object", param_hint="--policy")
    return terms
