"""Data planes that register themselves, and their own names of flows."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
DOCUMENT = sa.JSON(none_as_null=True)


def upgrade() -> None:
    op.add_column("transfer_processes", sa.Column("data_flow_id", TEXT, nullable=True))
    op.create_table(
        "data_plane_registrations",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("participant_id", TEXT, nullable=False),
        sa.Column("endpoint", TEXT, nullable=False),
        sa.Column("transfer_types", DOCUMENT, nullable=False),
        sa.Column("labels", DOCUMENT, nullable=False),
        sa.Column("credentials", DOCUMENT, nullable=True),
        sa.Column("registered_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_data_plane_registrations_registered_at", "data_plane_registrations", ["registered_at", "id"])
