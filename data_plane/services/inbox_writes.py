"""InboxWrites: what the senders of HTTP pushes may do: put objects into the destination of a flow that receives.

The same object sent again, after an answer that was lost, is taken and changes nothing; another one under its name is
refused. An upload that breaks off leaves nothing that could be seen.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from connector_spi.clock import Clock
from connector_spi.errors import InvalidInputError, NotFoundError, UnauthenticatedError
from connector_spi.signaling import DataFlowState
from data_plane.domain.data_flow import DataFlow
from data_plane.domain.inbox_errors import InboxBusyError, UploadTooLargeError
from data_plane.domain.object_copy import BLOCK_SIZES, CopyMode, SourceObject
from data_plane.ports.data_flow_store import DataFlowStore
from data_plane.ports.data_sink import DataSinkFactory
from data_plane.services.byte_budget import ByteBudget
from data_plane.services.inbox_body import UploadBody
from data_plane.services.inbox_copy import InboxCopy
from data_plane.services.inbox_grants import wished_name
from data_plane.services.inbox_records import InboxRecords
from data_plane.services.public_grants import flow_id_of
from data_plane.services.registry import FactoryRegistry
from data_plane.services.retry import Backoff

WHOLE_BYTES: Final = BLOCK_SIZES[CopyMode.STREAMED]
"""Up to this, an object is held in memory and published in one call; a longer body has to announce its length."""

# PREPARED too: the provider may send its first object before this side hears of the start.
_RECEIVING: Final = frozenset({DataFlowState.PREPARED, DataFlowState.STARTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One object as its sender announces it."""

    body: AsyncIterator[bytes]
    size: int | None
    """Bytes; None where the sender does not say."""
    content_type: str
    content_encoding: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxLimits:
    """What the operator allows."""

    uploads: int
    """At the same time."""
    object_bytes: int
    block_seconds: float
    """How long one block may take to arrive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxWrites:
    """One for the process."""

    store: DataFlowStore
    sinks: FactoryRegistry[DataSinkFactory]
    records: InboxRecords
    budget: ByteBudget
    clock: Clock
    limits: InboxLimits
    backoff: Backoff = field(default_factory=Backoff)
    _under_way: set[tuple[str, str]] = field(default_factory=set, init=False)

    async def admitted(self, key: str, token: str) -> DataFlow:
        """The flow whose inbox the token opens.

        Raises:
            UnauthenticatedError: it opens none: a wrong token, or a flow that does not receive.
        """
        try:
            flow = await self.store.find(flow_id_of(key))
        except NotFoundError:
            flow = None
        if flow is None or flow.access is None or not _receives(flow):
            raise UnauthenticatedError("The token opens nothing.")
        if not flow.access.admits(token, at=self.clock.now()):
            raise UnauthenticatedError("The token opens nothing.")
        return flow

    def named(self, flow: DataFlow, sent: str) -> str:
        """The object that a request is for. `sent`: what its address says behind the inbox's own.

        Raises:
            NotFoundError: the inbox takes one object, and this is not its address.
            InvalidInputError: the request names no object.
        """
        wished = wished_name(flow.destination)
        if wished and sent:
            raise NotFoundError(kind="Object", object_id=sent[:64])
        if not (wished or sent):
            raise InvalidInputError(
                field="path", value="", problem="names no object", remedy="Add the object's name to the address."
            )
        return wished or sent

    async def store_object(self, flow: DataFlow, name: str, upload: Upload) -> bool:
        """Put the object into the flow's destination; False when this very object was there already.

        Raises:
            InvalidInputError: the destination does not allow the name or the content type.
            ObjectTakenError: another object has the name.
            LengthRequiredError, UploadTooLargeError, UploadIncompleteError: the body cannot be taken.
            UnauthenticatedError: the flow was suspended or has ended meanwhile.
            InboxBusyError, UploadTooSlowError, TransientError: the sender may come again.
            PermanentError: the destination refused.
        """
        if (upload.size or 0) > self.limits.object_bytes:
            raise UploadTooLargeError(f"The object is larger than {self.limits.object_bytes} bytes.")
        source = SourceObject(
            name, upload.size or 0, "", content_type=upload.content_type, content_encoding=upload.content_encoding
        )
        factory = self.sinks.of(flow.destination.type)
        name = factory.destination_name(flow, source, single=False)
        with self._alone(flow.id, name):
            async with factory.open(flow) as sink:
                copy = InboxCopy(
                    sink=sink,
                    records=self.records,
                    budget=self.budget,
                    backoff=self.backoff,
                    check_running=lambda: self._check_running(flow.id),
                    known=await self.records.find(flow.id, name),
                )
                return await self._stored(await copy.settled(), flow, source, upload)

    async def _stored(self, copy: InboxCopy, flow: DataFlow, source: SourceObject, upload: Upload) -> bool:
        body = UploadBody(upload.body, block_seconds=self.limits.block_seconds)
        if upload.size is not None and upload.size > WHOLE_BYTES:
            return await copy.in_blocks(flow.id, source.name, source, body)
        limit = min(WHOLE_BYTES, self.limits.object_bytes)
        held = await self.budget.acquire(flow.id, limit if upload.size is None else upload.size)
        try:
            data = await (body.rest(limit) if upload.size is None else body.exactly(upload.size))
            return await copy.whole(flow.id, source.name, replace(source, size=len(data)), data)
        finally:
            self.budget.release(held)

    async def _check_running(self, flow_id: str) -> None:
        flow = await self.store.find(flow_id)
        if flow is None or not _receives(flow):
            raise UnauthenticatedError("The flow does not receive any more.")

    @contextmanager
    def _alone(self, flow_id: str, name: str) -> Iterator[None]:
        """Refuse one upload more than there may be, and a second one of the same object."""
        upload = (flow_id, name)
        if upload in self._under_way or len(self._under_way) >= self.limits.uploads:
            raise InboxBusyError("Too many uploads are under way, or one of this object. Try again.")
        self._under_way.add(upload)
        try:
            yield
        finally:
            self._under_way.discard(upload)


def _receives(flow: DataFlow) -> bool:
    return flow.is_inbox and flow.state in _RECEIVING
