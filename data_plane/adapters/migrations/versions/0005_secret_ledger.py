"""Which secrets this data plane has put into the vault."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "secret_ledger",
        sa.Column("alias", sa.String(200), primary_key=True),
        sa.Column("owner", sa.String(32), nullable=False),
        sa.Column("owner_id", sa.String(256), nullable=False),
        sa.Column("noted_at", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_secret_ledger_owner_id", "secret_ledger", ["owner_id"])
