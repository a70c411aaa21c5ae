"""Every store of the control plane in memory: for tests and trials. Keeps what the ports promise, but no restart."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from connector_spi.clock import Clock, SystemClock
from connector_spi.errors import ConflictError, NotFoundError
from connector_spi.signaling import DataFlowProgress
from control_plane.adapters.asset_selectors import AssetSelectors, asset_order, is_beyond
from control_plane.adapters.memory_stateful_store import MemoryStatefulStore
from control_plane.adapters.query_fields import CATALOG_FIELDS
from control_plane.adapters.query_memory import matches_all, page
from control_plane.adapters.query_selection import conditions_of, selection_of
from control_plane.adapters.record_values import PROGRESS
from control_plane.adapters.records import (
    AGREEMENT_CODEC,
    ASSET_CODEC,
    CONTRACT_DEFINITION_CODEC,
    DATA_PLANE_REGISTRATION_CODEC,
    NEGOTIATION_CODEC,
    POLICY_DEFINITION_CODEC,
    TRANSFER_PROCESS_CODEC,
    RecordCodec,
    binding_agreement,
    void_agreement,
)
from control_plane.domain.asset import Asset
from control_plane.domain.catalog import AssetSelection, SelectedAsset
from control_plane.domain.contract_agreement import ContractAgreement
from control_plane.domain.contract_negotiation import ContractNegotiation
from control_plane.domain.query import QuerySpec
from control_plane.domain.transfer_process import TransferProcess
from control_plane.ports.stores import Stores

Definition = TypeVar("Definition")


class MemoryDefinitionStore(Generic[Definition]):
    """Keeps definitions of one kind."""

    def __init__(self, codec: RecordCodec[Definition]) -> None:
        self._codec = codec
        self._records: dict[str, Mapping[str, Any]] = {}

    async def create(self, definition: Definition) -> None:
        """See DefinitionStore."""
        record = self._codec.to_record(definition)
        if record["id"] in self._records:
            raise ConflictError(f"{self._codec.kind} {record['id']!r} exists already.")
        self._records[record["id"]] = record

    async def replace(self, definition: Definition) -> None:
        """See DefinitionStore."""
        record = self._codec.to_record(definition)
        self._check_found(record["id"])
        self._records[record["id"]] = record

    async def delete(self, definition_id: str) -> None:
        """See DefinitionStore."""
        self._check_found(definition_id)
        del self._records[definition_id]

    async def find(self, definition_id: str) -> Definition | None:
        """See DefinitionStore."""
        record = self._records.get(definition_id)
        return None if record is None else self._codec.from_record(record)

    async def query(self, query: QuerySpec) -> list[Definition]:
        """See DefinitionStore."""
        selection = selection_of(query, self._codec.query_fields)
        return [self._codec.from_record(record) for record in page(self._records.values(), selection)]

    def _check_found(self, definition_id: str) -> None:
        if definition_id not in self._records:
            raise NotFoundError(kind=self._codec.kind, object_id=definition_id)


class MemoryAssetStore(MemoryDefinitionStore[Asset]):
    """Keeps assets."""

    def __init__(self) -> None:
        super().__init__(ASSET_CODEC)

    async def select(self, selection: AssetSelection) -> list[SelectedAsset]:
        """See AssetStore."""
        selectors = AssetSelectors(selection.selectors)
        narrowing = conditions_of(selection.narrowed_by, CATALOG_FIELDS)
        records = sorted(self._records.values(), key=asset_order, reverse=selection.descending)
        found = [(r, selectors.matching(r)) for r in records if is_beyond(r, selection) and matches_all(r, narrowing)]
        found = [(record, numbers) for record, numbers in found if numbers]
        page = found[selection.offset : selection.offset + selection.limit]
        return [SelectedAsset(self._codec.from_record(record), numbers) for record, numbers in page]


class MemoryTransferProcessStore(MemoryStatefulStore[TransferProcess]):
    """Keeps transfer processes."""

    def __init__(self, clock: Clock, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__(TRANSFER_PROCESS_CODEC, clock, monotonic)

    async def record_progress(self, process_id: str, progress: DataFlowProgress) -> None:
        """See TransferProcessStore."""
        self._set_unleased(process_id, {"progress": PROGRESS.encode(progress)})


class MemoryContractNegotiationStore(MemoryStatefulStore[ContractNegotiation]):
    """Keeps contract negotiations, and the agreements that bind this side."""

    def __init__(self, clock: Clock, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__(NEGOTIATION_CODEC, clock, monotonic)
        self._agreements: MemoryDefinitionStore[ContractAgreement] = MemoryDefinitionStore(AGREEMENT_CODEC)

    async def find_agreement(self, agreement_id: str) -> ContractAgreement | None:
        """See ContractNegotiationStore."""
        return await self._agreements.find(agreement_id)

    async def query_agreements(self, query: QuerySpec) -> list[ContractAgreement]:
        """See ContractNegotiationStore."""
        return await self._agreements.query(query)

    async def _saving(self, entity: ContractNegotiation) -> None:
        if void := void_agreement(entity):
            stored = await self._agreements.find(void.id)
            if stored is not None and stored.negotiation_id == entity.id:
                await self._agreements.delete(void.id)
        agreement = binding_agreement(entity)
        if agreement is None:
            return
        stored = await self._agreements.find(agreement.id)
        if stored is None or stored.negotiation_id != agreement.negotiation_id:
            await self._agreements.create(agreement)


def memory_stores(clock: Clock | None = None, *, monotonic: Callable[[], float] = time.monotonic) -> Stores:
    """Empty stores. `monotonic`: the clock of the leases, in seconds."""
    clock = clock or SystemClock()
    return Stores(
        transfer_processes=MemoryTransferProcessStore(clock, monotonic),
        contract_negotiations=MemoryContractNegotiationStore(clock, monotonic),
        assets=MemoryAssetStore(),
        policy_definitions=MemoryDefinitionStore(POLICY_DEFINITION_CODEC),
        contract_definitions=MemoryDefinitionStore(CONTRACT_DEFINITION_CODEC),
        data_plane_registrations=MemoryDefinitionStore(DATA_PLANE_REGISTRATION_CODEC),
    )
