"""Answers know their flow, so that they can be forgotten with it; journals of settled flows are forgotten at once."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("data_flow_answer", sa.Column("flow_id", sa.String(256), nullable=False, server_default=""))
    # An operation is `<message>:<flow id>`, and no message's name has a colon.
    if op.get_bind().dialect.name == "sqlite":
        op.execute("UPDATE data_flow_answer SET flow_id = substr(operation, instr(operation, ':') + 1)")
    else:
        op.execute("UPDATE data_flow_answer SET flow_id = substr(operation, strpos(operation, ':') + 1)")
    op.execute(
        "DELETE FROM data_flow_object WHERE flow_id IN (SELECT id FROM data_flow "
        "WHERE state IN ('COMPLETED', 'TERMINATED') AND next_attempt_at IS NULL)"
    )
