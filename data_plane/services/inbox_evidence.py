"""InboxEvidence: what a receiver leaves where the objects of an HTTP push have come to rest.

The sender has no access there, so the receiver itself lists what has arrived whole, with the digests that it computed,
or says why the flow ended without the rest. The sink also drops what is staged and was never published.
"""

from dataclasses import dataclass

from data_plane.domain.data_flow import DataFlow, DataFlowFailure
from data_plane.ports.data_sink import DataSinkFactory
from data_plane.services.flow_readiness import FlowReadiness
from data_plane.services.inbox_records import InboxRecords
from data_plane.services.registry import FactoryRegistry


@dataclass(frozen=True, slots=True)
class InboxEvidence:
    """One for the process."""

    sinks: FactoryRegistry[DataSinkFactory]
    records: InboxRecords
    readiness: FlowReadiness

    async def leave(self, flow: DataFlow) -> None:
        """Leave it. A place that is about to be deleted gets none.

        Raises:
            PermanentError, TransientError: as for `DataSink.mark_complete` and `DataSink.mark_failed`.
        """
        if not flow.delivered and self.readiness.gives_place_back(flow):
            return
        async with self.sinks.of(flow.destination.type).open(flow) as sink:
            if flow.delivered:
                # `again`: this piece may be repeated after the release, which ends our own access.
                await sink.mark_complete(self.records.published(flow.id), again=True)
            else:
                await sink.mark_failed(flow.failure or _ended(flow))


def _ended(flow: DataFlow) -> DataFlowFailure:
    return DataFlowFailure("Terminated", flow.reason or "The transfer was terminated.")
