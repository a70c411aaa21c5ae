"""Alembic environment of the data plane; run by `sql_storage.migrations.migrate`, which hands over the connection."""

from alembic import context

config = context.config
context.configure(
    connection=config.attributes["connection"],
    version_table=config.attributes["version_table"],
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
