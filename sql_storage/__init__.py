"""What both planes must know of SQL databases: engines, sessions, the database's clock, migrations.

Each plane keeps its own rows, in its own `adapters` folder; this package knows none of them.
"""
