"""Stores: where entities rest. One port in domain types; adapters for memory and for SQL."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from connector_spi.signaling import DataFlowProgress
from control_plane.domain.asset import Asset
from control_plane.domain.catalog import AssetSelection, SelectedAsset
from control_plane.domain.contract_agreement import ContractAgreement
from control_plane.domain.contract_definition import ContractDefinition
from control_plane.domain.contract_negotiation import ContractNegotiation
from control_plane.domain.data_plane_registration import DataPlaneRegistration
from control_plane.domain.inbox import InboxMessage
from control_plane.domain.policy import PolicyDefinition
from control_plane.domain.query import QuerySpec
from control_plane.domain.transfer_process import TransferProcess

Entity = TypeVar("Entity")
Definition = TypeVar("Definition")


@dataclass(frozen=True, slots=True)
class Leased(Generic[Entity]):
    """An entity that this worker alone may save, and the messages that wait for it, oldest first."""

    entity: Entity
    epoch: int
    """The fencing token: a save under an older one is refused."""
    inbox: tuple[InboxMessage, ...]


class StatefulEntityStore(Protocol[Entity]):
    """Keeps entities that a loop works on: leases with fencing, an inbox, and a time at which each is due.

    An entity is due when its `due_at` has come or when a message arrived since its last save. Only the lease holder
    saves; everybody else appends messages. Every method is one transaction.
    """

    async def create(self, entity: Entity, *, due_at: datetime | None) -> None:
        """Store a new entity.

        Raises:
            ConflictError: the id exists already, or the counterparty's process id does under this counterparty.
            StoreUnavailableError: nothing was written.
        """
        ...

    async def find(self, entity_id: str) -> Entity | None:
        """The entity, or None.

        Raises:
            StoreUnavailableError: the database did not answer.
        """
        ...

    async def find_with_inbox(self, entity_id: str) -> tuple[Entity, tuple[InboxMessage, ...]] | None:
        """The entity and the messages that wait for it, oldest first; or None.

        A message that is applied at this very moment may be there although the entity shows its effect.

        Raises:
            StoreUnavailableError: the database did not answer.
        """
        ...

    async def find_by_correlation(self, counter_party_id: str, correlation_id: str) -> Entity | None:
        """The entity that this counterparty knows under its own process id, or None.

        Raises:
            StoreUnavailableError: the database did not answer.
        """
        ...

    async def query(self, query: QuerySpec) -> list[Entity]:
        """Entities that match, in order, one page.

        Raises:
            InvalidInputError: a field of the query does not exist.
            StoreUnavailableError: the database did not answer.
        """
        ...

    async def append(
        self,
        entity_id: str,
        message: InboxMessage,
        accept: Callable[[Entity, Sequence[InboxMessage]], None],
    ) -> bool:
        """Put a message into the entity's inbox, whoever holds the lease, and make the entity due.

        `accept` is pure; it gets the entity and the messages that wait already and raises to refuse. It is called
        inside the transaction, so two messages that exclude each other are never both stored.

        Returns:
            False when a message with this id was stored before (waiting or applied): nothing changes.

        Raises:
            NotFoundError: no such entity.
            whatever `accept` raises: nothing was stored.
            StoreUnavailableError: nothing was written.
        """
        ...

    async def lease_due(self, *, now: datetime, limit: int, lease_seconds: float, owner: str) -> list[Leased[Entity]]:
        """Claim due entities, longest due first, so that no other worker sees them.

        A lease ends when the entity is saved or after `lease_seconds` of the database's clock, whichever is sooner; a
        crashed worker delays its entities by at most that long. Each claim raises the entity's epoch.

        Raises:
            StoreUnavailableError: nothing was claimed.
        """
        ...

    async def save(
        self, entity: Entity, *, epoch: int, applied: Sequence[InboxMessage], due_at: datetime | None
    ) -> None:
        """Save, take the applied messages out of the inbox, and give the lease back.

        The entity is due at once if a message came since it was leased, else at `due_at` (None: not by time).

        Raises:
            LeaseLostError: another worker holds the lease now; nothing was written.
            StoreUnavailableError: nothing was written.
        """
        ...

    async def next_due_at(self) -> datetime | None:
        """When the next entity falls due by time, or None; the past when one is due already.

        Raises:
            StoreUnavailableError: the database did not answer.
        """
        ...

    async def wait_for_work(self, timeout_seconds: float) -> None:
        """Return as soon as something became due, or after the time-out; may return without a reason.

        `create`, `append` and `save` wake it, in this process and, where the database can tell, in others.
        """
        ...


class TransferProcessStore(StatefulEntityStore[TransferProcess], Protocol):
    """Keeps transfer processes.

    `progress` is not part of what a lease protects: `save` leaves it alone.
    """

    async def record_progress(self, process_id: str, progress: DataFlowProgress) -> None:
        """Note how far the data flow is, whoever holds the lease; does nothing when there is no such process.

        Raises:
            StoreUnavailableError: nothing was written.
        """
        ...


class ContractNegotiationStore(StatefulEntityStore[ContractNegotiation], Protocol):
    """Keeps contract negotiations; the agreement is stored with the negotiation that reached it.

    An agreement is visible to `find_agreement` once this side is bound by it: for a consumer when the negotiation is
    FINALIZED, for a provider from FINALIZING on (the consumer may ask for data before the provider has noted the end).
    It is gone again when a provider's negotiation ends from there, because the consumer did not want to be bound.
    """

    async def find_agreement(self, agreement_id: str) -> ContractAgreement | None:
        """The agreement, or None.

        Raises:
            StoreUnavailableError: the database did not answer.
        """
        ...

    async def query_agreements(self, query: QuerySpec) -> list[ContractAgreement]:
        """Agreements that match, in order, one page.

        Raises:
            InvalidInputError: a field of the query does not exist.
            StoreUnavailableError: the database did not answer.
        """
        ...


class DefinitionStore(Protocol[Definition]):
    """Keeps what an operator defines: assets, policy definitions, contract definitions."""

    async def create(self, definition: Definition) -> None:
        """Store a new definition.

        Raises:
            ConflictError: the id exists already.
            StoreUnavailableError: nothing was written.
        """
        ...

    async def replace(self, definition: Definition) -> None:
        """Replace the definition with the same id.

        Raises:
            NotFoundError: there is none.
            StoreUnavailableError: nothing was written.
        """
        ...

    async def delete(self, definition_id: str) -> None:
        """Remove it.

        Raises:
            NotFoundError: there is none.
            StoreUnavailableError: nothing was written.
        """
        ...

    async def find(self, definition_id: str) -> Definition | None:
        """The definition, or None.

        Raises:
            StoreUnavailableError: the database did not answer.
        """
        ...

    async def query(self, query: QuerySpec) -> list[Definition]:
        """Definitions that match, in order, one page.

        Raises:
            InvalidInputError: a field of the query does not exist.
            StoreUnavailableError: the database did not answer.
        """
        ...


class AssetStore(DefinitionStore[Asset], Protocol):
    """Keeps assets, and finds those that contract definitions select."""

    async def select(self, selection: AssetSelection) -> list[SelectedAsset]:
        """Assets that match, in order of creation, then of ids; one page, however many selectors match an asset.

        A selector that cannot be evaluated (an operand that no value can have) selects nothing.

        Raises:
            InvalidInputError: `narrowed_by` has an operand that does not suit its operator.
            StoreUnavailableError: the database did not answer.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Every store of the control plane, opened together on one database."""

    transfer_processes: TransferProcessStore
    contract_negotiations: ContractNegotiationStore
    assets: AssetStore
    policy_definitions: DefinitionStore[PolicyDefinition]
    contract_definitions: DefinitionStore[ContractDefinition]
    data_plane_registrations: DefinitionStore[DataPlaneRegistration]
