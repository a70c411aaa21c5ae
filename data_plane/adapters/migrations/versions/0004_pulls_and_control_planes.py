"""Flows know their control plane and the access that they gave; registered control planes."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("data_flow", sa.Column("control_plane_id", sa.String(256), nullable=False, server_default=""))
    op.add_column("data_flow", sa.Column("issued", sa.JSON, nullable=True))
    op.add_column("data_flow", sa.Column("access", sa.JSON, nullable=True))
    op.create_table(
        "control_plane",
        sa.Column("id", sa.String(256), primary_key=True),
        sa.Column("endpoint", sa.String(2048), nullable=False),
        sa.Column("token_endpoint", sa.String(2048), nullable=False),
        sa.Column("client_id", sa.String(512), nullable=False),
        sa.Column("secret_alias", sa.String(200), nullable=False),
        sa.Column("jwks", sa.JSON, nullable=True),
        sa.Column("jwks_uri", sa.String(2048), nullable=False),
    )
