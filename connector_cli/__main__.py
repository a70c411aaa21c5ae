"""`python -m connector_cli`: the same as `connector`."""

from connector_cli.main import app

app(prog_name="connector")
