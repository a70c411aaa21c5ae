"""What an operator does: commands in processes of their own, and files that hold credentials."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path

from connector_cli.demo.organisation import Organisation


async def connector(side: Organisation, *arguments: str, value: str = "") -> None:
    """Run the command with the organisation's configuration; `value` goes to its standard input."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "connector_cli", *arguments, "--config", "connector.toml"),
        cwd=side.folder,
        env={k: v for k, v in os.environ.items() if not k.startswith(("CONNECTOR_", "AZURE_STORAGE_"))},
        stdin=PIPE,
        stdout=DEVNULL,
        stderr=PIPE,
    )
    _, error = await process.communicate(value.encode())
    assert process.returncode == 0, error.decode()


def write_credential(file: Path, secret: str) -> None:
    """Replace the file as a whole, as whoever renews credentials does: nobody reads half of one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    half = file.with_suffix(".half")
    half.touch(mode=0o600)
    half.write_text(secret, encoding="utf-8")
    half.replace(file)
