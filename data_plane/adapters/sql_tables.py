"""The rows of the data plane. They never leave this folder. Times are milliseconds since 1970, UTC."""

from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Text
from sqlmodel import Field, SQLModel


class DataFlowRow(SQLModel, table=True):
    """One flow, its counters and its lease."""

    __tablename__ = "data_flow"

    id: str = Field(primary_key=True, max_length=256)
    version: int = 0
    participant_id: str = Field(index=True)
    counter_party_id: str
    agreement_id: str
    dataset_id: str
    profile: str
    role: str
    state: str
    source: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    destination: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    marker_process_id: str
    nonce: str
    callback_base: str
    created_at: int = Field(sa_type=BigInteger)
    updated_at: int = Field(sa_type=BigInteger)
    started_at: int | None = Field(default=None, sa_type=BigInteger)
    failure: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    reason: str = Field(sa_column=Column(Text, nullable=False))
    vault_aliases: list[str] = Field(sa_column=Column(JSON, nullable=False))
    owed: list[str] = Field(sa_column=Column(JSON, nullable=False))
    attempt: int
    next_attempt_at: int | None = Field(default=None, sa_type=BigInteger, index=True)

    bytes_copied: int = Field(default=0, sa_type=BigInteger)
    bytes_total: int = Field(default=0, sa_type=BigInteger)
    objects_copied: int = Field(default=0, sa_type=BigInteger)
    objects_total: int = Field(default=0, sa_type=BigInteger)
    listing_complete: bool = False
    evidence_begun: bool = False

    lease_worker: str | None = None
    lease_epoch: int = 0
    lease_until: int | None = Field(default=None, sa_type=BigInteger)


class AnsweredMessageRow(SQLModel, table=True):
    """What was answered to one message."""

    __tablename__ = "data_flow_answer"

    message_id: str = Field(primary_key=True, max_length=256)
    operation: str = Field(primary_key=True, max_length=300)
    flow_id: str = Field(max_length=256)
    body: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))


class ObjectCopyRow(SQLModel, table=True):
    """One object of one flow."""

    __tablename__ = "data_flow_object"

    flow_id: str = Field(primary_key=True, max_length=256, foreign_key="data_flow.id")
    sequence: int = Field(primary_key=True, sa_type=BigInteger)
    name: str
    destination_name: str
    size: int = Field(sa_type=BigInteger)
    etag: str
    content_type: str
    content_encoding: str | None = None
    object_metadata: dict[str, str] = Field(sa_column=Column(JSON, nullable=False))
    status: str
    block_nonce: str
    block_count: int
    sha256: str
