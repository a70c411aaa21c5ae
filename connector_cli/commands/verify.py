"""`connector verify`: read what a transfer delivered, and compare it with its signed receipt."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from azure_storage.errors import BlobTooLargeError, MarkerMalformedError
from azure_storage.markers import COMPLETE, FAILED, MARKER_MAX_BYTES, CompleteMarker, parse_failed_marker
from azure_storage.receipt_check import read_complete
from azure_storage.receipt_errors import ReceiptRefusedError
from connector_cli.commands.options import DEFAULT_URL, ApiKey, AsJson, Url, calling
from connector_cli.output import INTERRUPTED, console, fail, notes, print_json
from connector_cli.verification.engine import Verification
from connector_cli.verification.leftovers import Leftovers, UncompletedTransferError
from connector_cli.verification.placed_names import PlacedNames
from connector_cli.verification.readable_place import ReadablePlace
from connector_cli.verification.report import MISMATCHES, Finding, Outcome, Report
from connector_cli.verification.target import Expected, Keys, Target
from connector_spi.errors import ConnectorError
from connector_spi.log_context import redacted

MISMATCH: Final = 1
NOT_CHECKED: Final = 2
_NOT_BELIEVED: Final = (ReceiptRefusedError, MarkerMalformedError, BlobTooLargeError)
_EXIT_CODES: Final = {Outcome.OK: 0, Outcome.MISMATCH: MISMATCH, Outcome.NOT_CHECKED: NOT_CHECKED}
_UNCHECKED: Final = "not checked"

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", metavar="FILE", help="Your connector's TOML file: vault, endpoint, public keys."),
]
SasText = Annotated[
    str,
    typer.Option(
        "--sas",
        envvar="CONNECTOR_SAS",
        show_default=False,
        help="A signature that reads and lists the container, instead of the account's key in the vault. Better given "
        "by the variable: arguments can be seen by other users of this machine.",
    ),
]


def verify(
    *,
    account: Annotated[str, typer.Option("--account", help="Storage account of the container.")] = "",
    container: Annotated[str, typer.Option("--container", help="The container that was received.")] = "",
    folder: Annotated[str, typer.Option("--folder", help="The transfer's folder in it, if it has one.")] = "",
    path: Annotated[
        Path | None, typer.Option("--path", help="A directory of this machine that was received, instead.")
    ] = None,
    process: Annotated[
        str | None, typer.Option("--process", metavar="ID", help="The transfer: your connector tells the container.")
    ] = None,
    config: ConfigFile = None,
    sas: SasText = "",
    endpoint: Annotated[
        str, typer.Option("--endpoint", help="Template of the account's address; the configuration's when left out.")
    ] = "",
    public_key: Annotated[
        Path | None, typer.Option("--public-key", metavar="FILE", help="The provider's public key (PEM).")
    ] = None,
    no_signature: Annotated[bool, typer.Option("--no-signature", help="Leave the signature out.")] = False,
    names_only: Annotated[bool, typer.Option("--names-only", help="Names and sizes; read no content.")] = False,
    sample: Annotated[
        float, typer.Option("--sample", metavar="PERCENT", min=0, max=100, help="Read this share of the objects.")
    ] = 100,
    parallel: Annotated[int, typer.Option("--parallel", min=1, max=64, help="Contents read at once (8 MiB each).")] = 4,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = "",
    as_json: AsJson = False,
) -> None:
    """Read everything that a transfer delivered, and compare it with the receipt that the provider signed.

    Checks the signature, the manifest, that exactly the listed objects are there (but for your own, in a container that
    you had before), and the SHA-256 and CRC64 of every content. Exit code 0: all right. 1: something differs, and is
    named. 2: it could not be checked; of a transfer that failed, what it left is listed.

    Example: connector verify --process PROCESS-ID --config deploy/consumer.toml

    Example: connector verify --account consumeraccount --container received --config deploy/consumer.toml

    Example: CONNECTOR_SAS='sv=...' connector verify --account acc --container received --public-key provider.pem --json

    Example: connector verify --path /data/received --public-key provider.pem --sample 5
    """
    target = Target(
        path=path, account=account, container=container, folder=folder, sas=sas, endpoint_template=endpoint,
        config=config,
    )  # fmt: skip
    wanted = _choice(0 if names_only else sample)
    try:
        expected = Expected()
        if process is not None:
            target, expected = _of_process(target, process, url, api_key)
        keys = None if no_signature else Keys.of(config, public_key)
        report = asyncio.run(_report(target, expected, keys, wanted=wanted, parallel=parallel, silent=as_json))
    except ConnectorError as error:
        _end_without_report(error, as_json=as_json)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    print_json(report.to_json()) if as_json else _print(report)
    raise typer.Exit(_EXIT_CODES[report.outcome])


def _choice(percent: float) -> Callable[[], bool]:
    """Which contents are read: drawn so that the provider cannot foresee them."""
    source = random.SystemRandom()
    return lambda: source.random() * 100 < percent


def _of_process(target: Target, process_id: str, url: str, api_key: str) -> tuple[Target, Expected]:
    """Where the transfer went, and what its receipt must say."""
    process = calling(url, api_key, lambda client: client.transfer(process_id))
    there = process.get("dataDestination", {})
    named = replace(
        target,
        account=target.account or there.get("account", ""),
        container=target.container or there.get("container", ""),
        folder=target.folder or there.get("folderName", ""),
        key_name=there.get("keyName") or None,
    )
    expected = Expected(
        process_id=process["@id"], agreement_id=process.get("contractId"), signer=process.get("counterPartyId")
    )
    return named, expected


async def _report(
    target: Target,
    expected: Expected,
    keys: Keys | None,
    *,
    wanted: Callable[[], bool],
    parallel: int,
    silent: bool,
) -> Report:
    async with target.opened() as place:
        marker = await _complete_marker(place)
        expected.check(marker)
        signature = f"valid, of {keys.check(marker, signer=expected.signer)}" if keys else _UNCHECKED
        names = await PlacedNames.of(place, marker)
        report = Report(marker, signature, placement=names.record)
        with _bar(marker, silent=silent) as bar:
            task = bar.add_task("0 objects", total=marker.bytes_total)

            def progress(objects: int, size: int) -> None:
                done = report.counts.total()
                bar.update(task, advance=size, description=f"{done} of {marker.object_count} objects")

            run = Verification(place, report, wanted=wanted, parallel=parallel, progress=progress, names=names)
            await run.run()
        return report


async def _complete_marker(place: ReadablePlace) -> CompleteMarker:
    marker = await read_complete(place)
    if marker is not None:
        return marker
    left = await Leftovers.of(place)
    content = await place.read(FAILED, max_bytes=MARKER_MAX_BYTES)
    if content is None:
        reason = f"There is no {COMPLETE}: this is no transfer's place, or the transfer has not ended."
        raise UncompletedTransferError(reason, left)
    failed = parse_failed_marker(content)
    reason = f"There is no {COMPLETE}. The transfer failed: {failed.code}: {redacted(failed.message)}"
    raise UncompletedTransferError(reason, left)


def _bar(marker: CompleteMarker, *, silent: bool) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, console=notes, transient=True, disable=silent or not notes.is_terminal)


def _end_without_report(error: ConnectorError, *, as_json: bool) -> NoReturn:
    """The receipt itself is wrong, or nothing could be checked."""
    outcome = Outcome.MISMATCH if isinstance(error, _NOT_BELIEVED) else Outcome.NOT_CHECKED
    if as_json:
        left = {"left": error.left.to_json()} if isinstance(error, UncompletedTransferError) else {}
        print_json({"outcome": outcome.value, "reason": {"code": error.code, "message": error.message}, **left})
        raise typer.Exit(_EXIT_CODES[outcome])
    raise fail(f"{error.message} ({error.code})", _EXIT_CODES[outcome])


def _print(report: Report) -> None:
    marker = report.receipt
    for named in report.named:
        style = "red" if named.finding in MISMATCHES else None
        console.print(
            f"{named.finding.value:<15} {named.name}  {named.reason}", style=style, markup=False, soft_wrap=True
        )
    if report.left_out:
        console.print(f"... and {report.left_out} more", markup=False)
    facts = {
        "transfer": marker.process_id,
        "agreement": marker.agreement_id,
        "signature": report.signature + (f", {marker.signed_at:%Y-%m-%d %H:%M:%SZ}" if marker.signed_at else ""),
        "objects": ", ".join(f"{report.counts[f]} {f.value}" for f in Finding if report.counts[f]) or "none",
        "bytes read": str(report.bytes_read),
        "outcome": report.outcome.value,
    }
    for name, value in facts.items():
        console.print(f"  {name:<11} {value}", markup=False, soft_wrap=True)
