"""Data flows, the answers to their messages, and the journal of their objects."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "data_flow",
        sa.Column("id", sa.String(256), primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("participant_id", sa.String, nullable=False, index=True),
        sa.Column("counter_party_id", sa.String, nullable=False),
        sa.Column("agreement_id", sa.String, nullable=False),
        sa.Column("dataset_id", sa.String, nullable=False),
        sa.Column("profile", sa.String, nullable=False),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("source", sa.JSON),
        sa.Column("destination", sa.JSON, nullable=False),
        sa.Column("marker_process_id", sa.String, nullable=False),
        sa.Column("nonce", sa.String, nullable=False),
        sa.Column("callback_base", sa.String, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("started_at", sa.BigInteger),
        sa.Column("failure", sa.JSON),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("vault_aliases", sa.JSON, nullable=False),
        sa.Column("owed", sa.JSON, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("next_attempt_at", sa.BigInteger, index=True),
        sa.Column("bytes_copied", sa.BigInteger, nullable=False),
        sa.Column("bytes_total", sa.BigInteger, nullable=False),
        sa.Column("objects_copied", sa.BigInteger, nullable=False),
        sa.Column("objects_total", sa.BigInteger, nullable=False),
        sa.Column("listing_complete", sa.Boolean, nullable=False),
        sa.Column("evidence_begun", sa.Boolean, nullable=False),
        sa.Column("lease_worker", sa.String),
        sa.Column("lease_epoch", sa.Integer, nullable=False),
        sa.Column("lease_until", sa.BigInteger),
    )
    op.create_index("ix_data_flow_state_role", "data_flow", ["state", "role"])
    op.create_table(
        "data_flow_answer",
        sa.Column("message_id", sa.String(256), primary_key=True),
        sa.Column("operation", sa.String(300), primary_key=True),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_table(
        "data_flow_object",
        sa.Column("flow_id", sa.String(256), sa.ForeignKey("data_flow.id"), primary_key=True),
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("destination_name", sa.String, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("etag", sa.String, nullable=False),
        sa.Column("content_type", sa.String, nullable=False),
        sa.Column("content_encoding", sa.String),
        sa.Column("object_metadata", sa.JSON, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("block_nonce", sa.String, nullable=False),
        sa.Column("block_count", sa.Integer, nullable=False),
        sa.Column("sha256", sa.String, nullable=False),
    )
    op.create_index("ix_data_flow_object_status", "data_flow_object", ["flow_id", "status", "sequence"])
