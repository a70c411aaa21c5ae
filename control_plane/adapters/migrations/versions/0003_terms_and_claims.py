"""Negotiations with offers of both sides, and what counterparties have proven about themselves."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
DOCUMENT = sa.JSON(none_as_null=True)


def upgrade() -> None:
    for table in ("transfer_processes", "contract_negotiations"):
        op.add_column(table, sa.Column("counter_party_claims", DOCUMENT, nullable=False, server_default="{}"))
    op.add_column("transfer_processes", sa.Column("agreed_state", sa.Integer(), nullable=True))
    # Policies count the transfers of an agreement, at each request.
    op.create_index("ix_transfer_processes_contract_id", "transfer_processes", ["contract_id", "created_at", "id"])
    op.add_column("contract_negotiations", sa.Column("previous_state", sa.Integer(), nullable=True))
    op.add_column("contract_negotiations", sa.Column("own_policy", DOCUMENT, nullable=True))
    op.add_column(
        "contract_negotiations", sa.Column("pending", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column("contract_negotiations", sa.Column("error_code", TEXT, nullable=True))
