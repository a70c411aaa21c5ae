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
    control_plane_id: str = Field(default="", max_length=256)
    issued: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    access: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
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
    copy_mode: str | None = None

    planned_objects: int = Field(default=0, sa_type=BigInteger)
    listing_position: str | None = Field(default=None, sa_column=Column(Text))

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
    object_tags: dict[str, str] = Field(sa_column=Column(JSON, nullable=False))
    content_md5: str = ""
    status: str
    block_nonce: str
    block_count: int
    sha256: str
    crc64: str = Field(default="", max_length=16)
    md5: str = Field(default="", max_length=32)
    assurance: str


class StagedBlockRow(SQLModel, table=True):
    """One block of one large object that the destination has acknowledged."""

    __tablename__ = "data_flow_block"

    flow_id: str = Field(primary_key=True, max_length=256, foreign_key="data_flow.id")
    sequence: int = Field(primary_key=True, sa_type=BigInteger)
    block_nonce: str = Field(primary_key=True, max_length=32)
    block_index: int = Field(primary_key=True)
    crc64: str = Field(max_length=16)


class ControlPlaneRow(SQLModel, table=True):
    """One registered control plane."""

    __tablename__ = "control_plane"

    id: str = Field(primary_key=True, max_length=256)
    endpoint: str = Field(max_length=2048)
    token_endpoint: str = Field(max_length=2048)
    client_id: str = Field(max_length=512)
    secret_alias: str = Field(max_length=200)
    jwks: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    jwks_uri: str = Field(max_length=2048)


class SecretLedgerRow(SQLModel, table=True):
    """One alias under which this data plane has stored a secret, or is about to."""

    __tablename__ = "secret_ledger"

    alias: str = Field(primary_key=True, max_length=200)
    owner: str = Field(max_length=32)
    owner_id: str = Field(max_length=256, index=True)
    noted_at: int = Field(sa_type=BigInteger)
