"""A process of its own that plans a flow over a generated listing, and tells how much memory that took.

Run as `python -m tests.integration.data_plane.planning_process FOLDER OBJECTS`; prints one line of JSON.
"""

import asyncio
import base64
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import psutil
from aiohttp import web

from azure_storage.account_access import AccountAccesses
from azure_storage.account_keys import AccountKeys
from azure_storage.block_client import BlockBlobClient
from azure_storage.containers import ObjectStorage
from azure_storage.copy_client import BlobCopyClient
from azure_storage.endpoints import StorageEndpoints
from azure_storage.session import open_storage_session
from connector_spi.clock import SystemClock
from connector_spi.data_address import DataAddress
from data_plane.adapters.azure_credential import WriteCredentials
from data_plane.adapters.azure_sink import AzureSinkRules
from data_plane.adapters.azure_sink_factory import AzureStorageSinkFactory
from data_plane.adapters.azure_source import AzureStorageSourceFactory
from data_plane.adapters.sql_data_flow_store import SqlDataFlowStore
from data_plane.adapters.sql_object_journal import SqlObjectJournal
from data_plane.bootstrap import MIGRATIONS, VERSION_TABLE
from data_plane.domain.credential_life import RenewalTiming
from data_plane.domain.data_flow import DataFlow
from data_plane.domain.object_copy import CopyStatus
from data_plane.ports.credential_renewal import RenewalUnavailableError
from data_plane.services.planner import Planner
from data_plane.services.progress_meter import ProgressMeter
from sql_storage.database import Database
from sql_storage.migrations import migrate
from tests.unit.data_plane.fakes import a_data_flow
from vault_adapters.memory import InMemoryVault

PAGE = 5000
SIZE = 1234
SOURCE = DataAddress("AzureStorage", {"account": "provider1", "container": "many", "blobPrefix": ""})
DESTINATION = DataAddress("AzureStorage", {"account": "consumer1", "container": "there", "keyName": "signature"})
BLOB = (
    "<Blob><Name>folder/object-{number:09d}.bin</Name><Properties><Last-Modified>Thu, 01 Jan 2026 00:00:00 GMT"
    "</Last-Modified><Etag>0x8DE{number:09d}</Etag><Content-Length>1234</Content-Length><Content-Type>text/csv"
    "</Content-Type><BlobType>BlockBlob</BlobType></Properties><Metadata><origin>here</origin></Metadata></Blob>"
)


class NoRenewal:
    """Nobody writes here, so nothing is renewed."""

    async def renewed(self, flow: DataFlow) -> None:
        raise RenewalUnavailableError(f"{flow.id}: nothing is renewed in this test.")


@asynccontextmanager
async def listing_of(objects: int) -> AsyncIterator[str]:
    """The endpoint template of a service that lists so many blobs, and holds none of them."""

    async def page(request: web.Request) -> web.Response:
        begin = int(request.query.get("marker") or 0)
        end = min(begin + PAGE, objects)
        blobs = "".join(BLOB.format(number=number) for number in range(begin, end))
        more = str(end) if end < objects else ""
        text = f"<EnumerationResults><Blobs>{blobs}</Blobs><NextMarker>{more}</NextMarker></EnumerationResults>"
        return web.Response(text=text, content_type="application/xml")

    app = web.Application()
    app.router.add_get("/{account}/{container}", page)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/{{account}}"
    finally:
        await runner.cleanup()


async def plan(folder: Path, objects: int) -> dict[str, int]:
    """Plan the flow; counts, and the resident memory before and at its highest."""
    clock, vault = SystemClock(), InMemoryVault({"provider1": base64.b64encode(b"key").decode()})
    database = Database.open(f"sqlite:///{folder}/plan.db")
    await migrate(database, MIGRATIONS, version_table=VERSION_TABLE)
    store, journal = SqlDataFlowStore(database), SqlObjectJournal(database)
    flow = await store.add(a_data_flow(source=SOURCE, destination=DESTINATION))
    [leased] = await store.lease_due("worker", limit=1, seconds=3600)
    async with listing_of(objects) as template, open_storage_session() as session:
        endpoints, blobs = StorageEndpoints(template), BlockBlobClient(session, clock=clock)
        storage = ObjectStorage(
            endpoints=endpoints, accesses=AccountAccesses(AccountKeys(vault, clock=clock)), clock=clock, session=session
        )
        timing = RenewalTiming(renew_before=timedelta(60), park_before=timedelta(5), patience=timedelta(60))
        sinks = AzureStorageSinkFactory(
            credentials=WriteCredentials(vault=vault, clock=clock, renewal=NoRenewal(), timing=timing),
            blobs=blobs,
            copies=BlobCopyClient(session, clock=clock),
            endpoints=endpoints,
            clock=clock,
            rules=AzureSinkRules(signature_grace=timedelta()),
        )
        sources = AzureStorageSourceFactory(storage=storage, blobs=blobs, endpoints=endpoints, clock=clock)
        meter = ProgressMeter(flow.counters, monotonic=lambda: 0.0)
        process = psutil.Process()
        async with sources.open(SOURCE) as source:
            before = highest = process.memory_info().rss

            def note() -> None:
                nonlocal highest
                highest = max(highest, process.memory_info().rss)

            meter.on_activity = note
            await Planner(flow, leased.lease, journal, sinks, meter).plan(source)
        totals = await journal.totals(flow.id)
        listed = 0
        while page := await journal.page(flow.id, statuses=frozenset({CopyStatus.PLANNED}), after=listed, limit=5000):
            listed = page[-1].sequence
            note()
    await database.aclose()
    return {"objects": totals.objects, "bytes": totals.bytes, "listed": listed, "before": before, "highest": highest}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(plan(Path(sys.argv[1]), int(sys.argv[2])))))
