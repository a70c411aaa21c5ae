"""First tables. Revisions only go forward: there is no way back that keeps the data."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
DOCUMENT = sa.JSON(none_as_null=True)
STATEFUL_TABLES = ("transfer_processes", "contract_negotiations")
TABLES_BY_TIME = {
    "transfer_processes": "created_at",
    "contract_negotiations": "created_at",
    "contract_agreements": "signed_at",
    "assets": "created_at",
    "policy_definitions": "created_at",
    "contract_definitions": "created_at",
}


def upgrade() -> None:
    create_stateful_tables()
    create_inbox()
    create_definition_tables()
    create_indexes()


def create_stateful_tables() -> None:
    op.create_table(
        "transfer_processes",
        *stateful_columns(),
        required("shown_state", sa.Integer()),
        required("contract_id"),
        required("transfer_type"),
        required("data_destination", DOCUMENT),
        required("managed_resources", sa.Boolean()),
        required("private_properties", DOCUMENT),
        required("nonce"),
        required("resources"),
        optional("provisioned", DOCUMENT),
        optional("secret_alias"),
        optional("data_plane_id"),
        optional("error", DOCUMENT),
        optional("progress", DOCUMENT),
    )
    op.create_table(
        "contract_negotiations",
        *stateful_columns(),
        required("offer_id"),
        required("policy", DOCUMENT),
        optional("agreement", DOCUMENT),
        optional("agreement_id"),
        optional("agreement_asset_id"),
    )


def create_inbox() -> None:
    op.create_table(
        "control_plane_inbox",
        sa.Column("entity_kind", TEXT, primary_key=True),
        sa.Column("entity_id", TEXT, primary_key=True),
        sa.Column("message_id", TEXT, primary_key=True),
        required("seq", sa.BigInteger()),
        required("kind"),
        required("payload", DOCUMENT),
        required("received_at", sa.BigInteger()),
        required("applied", sa.Boolean()),
    )
    op.create_index(
        "uq_control_plane_inbox_seq", "control_plane_inbox", ["entity_kind", "entity_id", "seq"], unique=True
    )
    op.create_index(
        "ix_control_plane_inbox_waiting",
        "control_plane_inbox",
        ["entity_kind", "entity_id"],
        sqlite_where=sa.text("NOT applied"),
        postgresql_where=sa.text("NOT applied"),
    )


def create_definition_tables() -> None:
    op.create_table(
        "contract_agreements",
        *owned_columns(),
        required("provider_id"),
        required("consumer_id"),
        required("asset_id"),
        required("policy", DOCUMENT),
        required("signed_at", sa.BigInteger()),
        required("negotiation_id"),
    )
    op.create_table(
        "assets",
        *owned_columns(),
        required("properties", DOCUMENT),
        required("private_properties", DOCUMENT),
        required("data_address", DOCUMENT),
        required("created_at", sa.BigInteger()),
    )
    op.create_table(
        "policy_definitions",
        *owned_columns(),
        required("policy", DOCUMENT),
        required("private_properties", DOCUMENT),
        required("created_at", sa.BigInteger()),
    )
    op.create_table(
        "contract_definitions",
        *owned_columns(),
        required("access_policy_id"),
        required("contract_policy_id"),
        required("assets_selector", DOCUMENT),
        required("private_properties", DOCUMENT),
        required("created_at", sa.BigInteger()),
    )


def create_indexes() -> None:
    for table, time in TABLES_BY_TIME.items():
        op.create_index(f"ix_{table}_{time}", table, [time, "id"])
    for table in STATEFUL_TABLES:
        for column in ("due_at", "waiting_since", "lease_until"):
            op.create_index(f"ix_{table}_{column}", table, [column], **where_present(column))
        op.create_index(
            f"uq_{table}_correlation",
            table,
            ["participant_id", "counter_party_id", "correlation_id"],
            unique=True,
            **where_present("correlation_id"),
        )


def owned_columns() -> list[sa.Column[Any]]:
    return [sa.Column("id", TEXT, primary_key=True), required("participant_id")]


def stateful_columns() -> list[sa.Column[Any]]:
    return [
        *owned_columns(),
        required("type"),
        required("state", sa.Integer()),
        required("state_count", sa.Integer()),
        required("state_timestamp", sa.BigInteger()),
        required("created_at", sa.BigInteger()),
        required("updated_at", sa.BigInteger()),
        required("counter_party_id"),
        required("counter_party_address"),
        required("protocol"),
        optional("correlation_id"),
        required("asset_id"),
        required("request_fingerprint"),
        optional("message_id"),
        required("attempt", sa.Integer()),
        optional("next_attempt_at", sa.BigInteger()),
        optional("deadline_at", sa.BigInteger()),
        optional("error_detail"),
        optional("due_at", sa.BigInteger()),
        optional("waiting_since", sa.BigInteger()),
        counter("inbox_seq"),
        counter("leased_seq"),
        optional("lease_owner"),
        counter("lease_epoch"),
        optional("lease_until", sa.BigInteger()),
    ]


def required(name: str, kind: Any = TEXT) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def optional(name: str, kind: Any = TEXT) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=True)


def counter(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=False, server_default="0")


def where_present(column: str) -> dict[str, Any]:
    condition = sa.text(f"{column} IS NOT NULL")
    return {"sqlite_where": condition, "postgresql_where": condition}
