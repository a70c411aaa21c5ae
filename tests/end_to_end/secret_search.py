"""Looks for secrets in what was written and sent, in every form that they could have there."""

import base64
from pathlib import Path
from urllib.parse import quote, unquote

from connector_cli.demo.processes import ConnectorProcess


def _forms(secret: str) -> set[bytes]:
    """The secret as it could be written: plain, percent-encoded, decoded, as base64 and inside JSON."""
    texts = {secret, quote(secret, safe=""), unquote(secret), secret.replace("/", "\\/"), secret.replace("\n", "\\n")}
    encoded = {base64.b64encode(text.encode()).decode().rstrip("=") for text in texts}
    return {text.encode() for text in texts | encoded}


def holds(haystack: bytes, secret: str) -> bool:
    """Whether the secret is in there, in any form."""
    return any(form in haystack for form in _forms(secret))


def written_below(folder: Path) -> dict[str, bytes]:
    """Every file: databases with their journals, logs, vaults, configurations."""
    return {f"file {p.relative_to(folder)}": p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def shown_by(process: ConnectorProcess) -> bytes:
    """Arguments and environment of a running process, which others on the machine may see."""
    facts = Path("/proc") / str(process.pid)
    return (facts / "cmdline").read_bytes() + b"\n" + (facts / "environ").read_bytes()
