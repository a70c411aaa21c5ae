"""The tables of the control plane, as SQLModel rows. What clients filter by is a column; nested things are JSON.

Times are microseconds since 1970, as exact as the entities; only leases count milliseconds, of the database's clock.
"""

from typing import Any, Final, cast

from sqlalchemy import JSON, BigInteger, Boolean, Index, Integer, MetaData, String, Table, false, inspect, text
from sqlmodel import Field, SQLModel

METADATA: Final = MetaData()


PLAIN_TEXT: Final = String().with_variant(String(collation="C"), "postgresql")
"""Text that compares and sorts by code point in both databases, whatever the locale of the server."""

DOCUMENT: Final = JSON(none_as_null=True)
"""JSON kept as it was written: PostgreSQL's binary form would rewrite numbers."""


_ZERO: Final = {"server_default": "0"}
_EMPTY: Final = {"server_default": "{}"}


class Row(SQLModel):
    """What all tables have: an id that is unique in the table, and the participant who owns the row."""

    metadata = METADATA

    id: str = Field(primary_key=True, sa_type=PLAIN_TEXT)
    participant_id: str = Field(sa_type=PLAIN_TEXT)


class StatefulRow(Row):
    """What the tables of entities with a loop have."""

    type: str = Field(sa_type=PLAIN_TEXT)
    state: int = Field(sa_type=Integer)
    state_count: int = Field(sa_type=Integer)
    state_timestamp: int = Field(sa_type=BigInteger)
    created_at: int = Field(sa_type=BigInteger)
    updated_at: int = Field(sa_type=BigInteger)
    counter_party_id: str = Field(sa_type=PLAIN_TEXT)
    counter_party_address: str = Field(sa_type=PLAIN_TEXT)
    protocol: str = Field(sa_type=PLAIN_TEXT)
    correlation_id: str | None = Field(default=None, sa_type=PLAIN_TEXT)
    counter_party_claims: dict[str, Any] = Field(sa_type=DOCUMENT, sa_column_kwargs=_EMPTY)
    asset_id: str = Field(sa_type=PLAIN_TEXT)
    request_fingerprint: str = Field(sa_type=PLAIN_TEXT)
    message_id: str | None = Field(default=None, sa_type=PLAIN_TEXT)
    attempt: int = Field(sa_type=Integer)
    next_attempt_at: int | None = Field(default=None, sa_type=BigInteger)
    deadline_at: int | None = Field(default=None, sa_type=BigInteger)
    error_detail: str | None = Field(default=None, sa_type=PLAIN_TEXT)

    due_at: int | None = Field(default=None, sa_type=BigInteger)
    waiting_since: int | None = Field(default=None, sa_type=BigInteger)
    """When the oldest message came that no save has seen; null when there is none."""
    inbox_seq: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs=_ZERO)
    """Number of the newest message."""
    leased_seq: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs=_ZERO)
    """Number of the newest message that the last lease holder was given."""
    lease_owner: str | None = Field(default=None, sa_type=PLAIN_TEXT)
    lease_epoch: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs=_ZERO)
    lease_until: int | None = Field(default=None, sa_type=BigInteger)


def _stateful_indexes(table: str) -> tuple[Index, ...]:
    """The counterparty's process id is unique under it; the others serve the search for due rows."""
    return (
        Index(
            f"uq_{table}_correlation",
            "participant_id",
            "counter_party_id",
            "correlation_id",
            unique=True,
            sqlite_where=text("correlation_id IS NOT NULL"),
            postgresql_where=text("correlation_id IS NOT NULL"),
        ),
        _partial_index(table, "due_at"),
        _partial_index(table, "waiting_since"),
        _partial_index(table, "lease_until"),
        Index(f"ix_{table}_created_at", "created_at", "id"),
    )


def _partial_index(table: str, column: str) -> Index:
    condition = text(f"{column} IS NOT NULL")
    return Index(f"ix_{table}_{column}", column, sqlite_where=condition, postgresql_where=condition)


class TransferProcessRow(StatefulRow, table=True):
    """A TransferProcess."""

    __tablename__ = "transfer_processes"
    __table_args__ = (
        *_stateful_indexes("transfer_processes"),
        Index("ix_transfer_processes_contract_id", "contract_id", "created_at", "id"),
    )

    agreed_state: int | None = Field(default=None, sa_type=Integer)
    shown_state: int = Field(sa_type=Integer)
    contract_id: str = Field(sa_type=PLAIN_TEXT)
    transfer_type: str = Field(sa_type=PLAIN_TEXT)
    data_destination: dict[str, Any] = Field(sa_type=DOCUMENT)
    managed_resources: bool = Field(sa_type=Boolean)
    private_properties: dict[str, Any] = Field(sa_type=DOCUMENT)
    nonce: str = Field(sa_type=PLAIN_TEXT)
    resources: str = Field(sa_type=PLAIN_TEXT)
    provisioned: dict[str, Any] | None = Field(default=None, sa_type=DOCUMENT)
    secret_alias: str | None = Field(default=None, sa_type=PLAIN_TEXT)
    data_plane_id: str | None = Field(default=None, sa_type=PLAIN_TEXT)
    data_flow_id: str | None = Field(default=None, sa_type=PLAIN_TEXT)
    error: dict[str, Any] | None = Field(default=None, sa_type=DOCUMENT)
    progress: dict[str, Any] | None = Field(default=None, sa_type=DOCUMENT)


class ContractNegotiationRow(StatefulRow, table=True):
    """A ContractNegotiation."""

    __tablename__ = "contract_negotiations"
    __table_args__ = _stateful_indexes("contract_negotiations")

    previous_state: int | None = Field(default=None, sa_type=Integer)
    offer_id: str = Field(sa_type=PLAIN_TEXT)
    policy: dict[str, Any] = Field(sa_type=DOCUMENT)
    own_policy: dict[str, Any] | None = Field(default=None, sa_type=DOCUMENT)
    pending: bool = Field(default=False, sa_type=Boolean, sa_column_kwargs={"server_default": false()})
    error_code: str | None = Field(default=None, sa_type=PLAIN_TEXT)
    agreement: dict[str, Any] | None = Field(default=None, sa_type=DOCUMENT)
    agreement_id: str | None = Field(default=None, sa_type=PLAIN_TEXT)
    agreement_asset_id: str | None = Field(default=None, sa_type=PLAIN_TEXT)


class ContractAgreementRow(Row, table=True):
    """A ContractAgreement whose negotiation is finalised."""

    __tablename__ = "contract_agreements"
    __table_args__ = (Index("ix_contract_agreements_signed_at", "signed_at", "id"),)

    provider_id: str = Field(sa_type=PLAIN_TEXT)
    consumer_id: str = Field(sa_type=PLAIN_TEXT)
    asset_id: str = Field(sa_type=PLAIN_TEXT)
    policy: dict[str, Any] = Field(sa_type=DOCUMENT)
    signed_at: int = Field(sa_type=BigInteger)
    negotiation_id: str = Field(sa_type=PLAIN_TEXT)


class InboxRow(SQLModel, table=True):
    """A message to an entity. An applied one stays without its payload, so that a repetition is recognised."""

    __tablename__ = "control_plane_inbox"
    __table_args__ = (
        Index("uq_control_plane_inbox_seq", "entity_kind", "entity_id", "seq", unique=True),
        Index(
            "ix_control_plane_inbox_waiting",
            "entity_kind",
            "entity_id",
            sqlite_where=text("NOT applied"),
            postgresql_where=text("NOT applied"),
        ),
    )
    metadata = METADATA

    entity_kind: str = Field(primary_key=True, sa_type=PLAIN_TEXT)
    entity_id: str = Field(primary_key=True, sa_type=PLAIN_TEXT)
    message_id: str = Field(primary_key=True, sa_type=PLAIN_TEXT)
    seq: int = Field(sa_type=BigInteger)
    kind: str = Field(sa_type=PLAIN_TEXT)
    payload: dict[str, Any] = Field(sa_type=DOCUMENT)
    received_at: int = Field(sa_type=BigInteger)
    applied: bool = Field(default=False, sa_type=Boolean)


class AssetRow(Row, table=True):
    """An Asset."""

    __tablename__ = "assets"
    __table_args__ = (Index("ix_assets_created_at", "created_at", "id"),)

    properties: dict[str, Any] = Field(sa_type=DOCUMENT)
    private_properties: dict[str, Any] = Field(sa_type=DOCUMENT)
    data_address: dict[str, Any] = Field(sa_type=DOCUMENT)
    created_at: int = Field(sa_type=BigInteger)


class PolicyDefinitionRow(Row, table=True):
    """A PolicyDefinition."""

    __tablename__ = "policy_definitions"
    __table_args__ = (Index("ix_policy_definitions_created_at", "created_at", "id"),)

    policy: dict[str, Any] = Field(sa_type=DOCUMENT)
    private_properties: dict[str, Any] = Field(sa_type=DOCUMENT)
    created_at: int = Field(sa_type=BigInteger)


class ContractDefinitionRow(Row, table=True):
    """A ContractDefinition."""

    __tablename__ = "contract_definitions"
    __table_args__ = (Index("ix_contract_definitions_created_at", "created_at", "id"),)

    access_policy_id: str = Field(sa_type=PLAIN_TEXT)
    contract_policy_id: str = Field(sa_type=PLAIN_TEXT)
    assets_selector: list[dict[str, Any]] = Field(sa_type=DOCUMENT)
    private_properties: dict[str, Any] = Field(sa_type=DOCUMENT)
    created_at: int = Field(sa_type=BigInteger)


class DataPlaneRegistrationRow(Row, table=True):
    """A DataPlaneRegistration."""

    __tablename__ = "data_plane_registrations"
    __table_args__ = (Index("ix_data_plane_registrations_registered_at", "registered_at", "id"),)

    endpoint: str = Field(sa_type=PLAIN_TEXT)
    transfer_types: list[str] = Field(sa_type=DOCUMENT)
    labels: list[str] = Field(sa_type=DOCUMENT)
    credentials: dict[str, Any] | None = Field(default=None, sa_type=DOCUMENT)
    registered_at: int = Field(sa_type=BigInteger)


def table_of(row: type[SQLModel]) -> Table:
    """The table of a row class, for statements on columns."""
    return cast(Table, inspect(row).local_table)
