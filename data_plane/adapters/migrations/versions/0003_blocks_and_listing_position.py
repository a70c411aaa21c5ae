"""Staged blocks, the listing's position, digests with their assurance, and how the bytes of a flow travel."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "data_flow_block",
        sa.Column("flow_id", sa.String(256), sa.ForeignKey("data_flow.id"), primary_key=True),
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("block_nonce", sa.String(32), primary_key=True),
        sa.Column("block_index", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("crc64", sa.String(16), nullable=False),
    )
    op.add_column("data_flow", sa.Column("planned_objects", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("data_flow", sa.Column("listing_position", sa.Text, nullable=True))
    op.add_column("data_flow", sa.Column("copy_mode", sa.String, nullable=True))
    # A plan that was being made when the data plane was replaced is made anew: see `listing_complete`.
    op.add_column("data_flow_object", sa.Column("object_tags", sa.JSON, nullable=False, server_default="{}"))
    op.add_column("data_flow_object", sa.Column("content_md5", sa.String, nullable=False, server_default=""))
    op.add_column("data_flow_object", sa.Column("crc64", sa.String(16), nullable=False, server_default=""))
    op.add_column("data_flow_object", sa.Column("md5", sa.String(32), nullable=False, server_default=""))
    op.add_column("data_flow_object", sa.Column("assurance", sa.String, nullable=False, server_default="computed"))
