"""What the conformance kit's tests want of a data plane beyond the protocol, plugged in through its public seams.

The kit cannot ask for an asynchronous answer, or for a flow that ends by itself: its configuration gives such tests an
agreement of their own (`ASYNCHRONOUS`, `COMPLETING`). No byte is moved for any of them.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from connector_spi.data_address import DataAddress
from data_plane.bootstrap.extensions import Extensions
from data_plane.bootstrap.technologies import Factories
from data_plane.domain.data_flow import DataFlow, DataFlowFailure
from data_plane.domain.object_copy import Block, ObjectCopy, SourceObject
from data_plane.domain.transfer_profile import Direction, TransferProfile
from data_plane.ports.access_granter import GrantedAccess
from data_plane.ports.data_sink import SinkTraits
from data_plane.ports.data_source import ReadGrant, SourcePage
from data_plane.ports.destination_preparer import PreparedDestination
from data_plane.settings import DataPlaneSettings, OutboundSettings

SCRIPTED: Final = "Scripted"
KITS_ADDRESS_TYPE: Final = "https://w3id.org/idsa/v4.1/HTTP"
"""Of the destination that the kit names for a push."""
HELD: Final = "held"
"""Dataset whose address the consumer keeps, without reading there."""
ASYNCHRONOUS: Final = "async"
COMPLETING: Final = "complete"
_RUNS_FOR_SECONDS: Final = 1.5
"""The kit wants to see the flow STARTED before it is COMPLETED."""


class ScriptedSource:
    """One object that is never looked at."""

    is_single = True

    async def objects(self, after: str | None = None) -> AsyncIterator[SourcePage]:
        yield SourcePage([SourceObject("object", 1, '"1"')])

    async def current(self, source: SourceObject) -> SourceObject:
        return source

    async def read(self, source: SourceObject, offset: int, length: int) -> Block:
        return b"1"

    async def grant(self, source: SourceObject, *, anew: bool = False) -> ReadGrant | None:
        return None

    def accepted(self, address: DataAddress) -> DataAddress:
        return address

    @asynccontextmanager
    async def open(self, address: DataAddress) -> AsyncIterator["ScriptedSource"]:
        yield self


class ScriptedSink:
    """Takes the object after a while, or never."""

    def __init__(self, flow: DataFlow | None = None) -> None:
        self._ends = flow is not None and flow.agreement_id == COMPLETING

    @property
    def traits(self) -> SinkTraits:
        return SinkTraits()

    async def check_free(self, copy: ObjectCopy) -> None:
        return

    async def put_whole(self, copy: ObjectCopy, data: Block, *, again: bool) -> None:
        if not self._ends:
            await asyncio.Event().wait()
        await asyncio.sleep(_RUNS_FOR_SECONDS)

    async def stage_block(self, copy: ObjectCopy, index: int, data: Block) -> None:
        return

    async def copy_whole(self, copy: ObjectCopy, grant: ReadGrant, *, again: bool) -> int | None:
        return None

    async def copy_block(self, copy: ObjectCopy, index: int, grant: ReadGrant, offset: int, length: int) -> int | None:
        return None

    async def commit(self, copy: ObjectCopy, *, again: bool) -> None:
        return

    async def mark_complete(self, published: AsyncIterator[ObjectCopy], *, again: bool) -> None:
        return

    async def mark_failed(self, failure: DataFlowFailure) -> None:
        return

    def accepted(self, address: DataAddress) -> DataAddress:
        return address

    def destination_name(self, flow: DataFlow, source: SourceObject, *, single: bool) -> str:
        return source.name

    @asynccontextmanager
    async def open(self, flow: DataFlow) -> AsyncIterator["ScriptedSink"]:
        yield ScriptedSink(flow)


class ScriptedPreparer:
    """A place that is there already."""

    async def prepare(self, flow_id: str, wish: DataAddress) -> PreparedDestination:
        return PreparedDestination(wish.with_properties(endpoint="http://127.0.0.1/place"), "no-secret")

    async def release(self, flow_id: str, address: DataAddress, *, delivered: bool) -> None:
        return


class ScriptedGranter:
    """An address at which nothing is."""

    def check(self, source: DataAddress) -> None:
        return

    async def grant(self, flow: DataFlow) -> GrantedAccess:
        return GrantedAccess(DataAddress(SCRIPTED, {"endpoint": "http://127.0.0.1/place"}))

    async def end(self, flow: DataFlow) -> None:
        return


class EveryDataset:
    """The kit's dataset ids are random: every one is known."""

    async def source_of(self, dataset_id: str) -> DataAddress | None:
        return DataAddress(SCRIPTED)

    async def destination_of(self, dataset_id: str) -> DataAddress | None:
        return None if dataset_id == HELD else DataAddress(SCRIPTED)


def _profile(name: str, direction: Direction, address_type: str) -> TransferProfile:
    return TransferProfile(
        name=name,
        direction=direction,
        address_type=address_type,
        answers_later=lambda message: message.agreement_id == ASYNCHRONOUS,
    )


FACTORIES: Final = Factories(
    sources={SCRIPTED: ScriptedSource()}, sinks={SCRIPTED: ScriptedSink(), KITS_ADDRESS_TYPE: ScriptedSink()}
)
EXTENSIONS: Final = Extensions(
    profiles=(
        _profile("http-pull", Direction.PULL, SCRIPTED),
        _profile("http-push", Direction.PUSH, KITS_ADDRESS_TYPE),
    ),
    preparers={SCRIPTED: ScriptedPreparer()},
    granters={SCRIPTED: ScriptedGranter()},
    datasets=EveryDataset(),
)


def settings_for(*, database_url: str, own_url: str, control_plane_url: str, kit_host: str) -> DataPlaneSettings:
    """A data plane on loopback whose control plane is the kit; `kit_host`: where the kit's DID document is."""
    return DataPlaneSettings(
        database_url=database_url,
        control_plane_url=control_plane_url,
        insecure_no_auth=True,
        callback_token_alias="",
        public_url=own_url,
        did_http_hosts=(kit_host,),
        outbound=OutboundSettings(allowed_networks=("127.0.0.0/8", "::1/128"), allow_http=True),
        poll_seconds=0.2,
        retry_cap_seconds=0.5,
    )
