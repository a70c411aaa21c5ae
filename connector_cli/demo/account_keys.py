"""Whether the keys of the storage accounts can be found with the organisations."""

from collections.abc import AsyncIterator
from typing import Final

from connector_cli.demo.organisation import Organisation
from connector_cli.demo.parts import Stage

_PROMISE: Final = "no account key is in any vault or configuration, nor in a database or log"


async def note_absence(stage: Stage) -> None:
    """Where identities open storage, look for the keys; the demo itself knows them because it made them for Azurite."""
    sides = (stage.provider, stage.consumer)
    if not all(side.vault.identity for side in sides):
        return
    keys = [side.account_key.encode() for side in sides]
    looked_at, found = 0, []
    for side in sides:
        async for place, content in _everything(side):
            looked_at += 1
            if any(key in content for key in keys):
                found.append(place)
    seen = ", ".join(found) or f"{looked_at} secrets and files"
    stage.checklist.note("identity", _PROMISE, held=looked_at > 0 and not found, seen=seen)


async def _everything(side: Organisation) -> AsyncIterator[tuple[str, bytes]]:
    """Each secret in the vault, and each file in the folder."""
    vault = side.open_vault()
    try:
        for alias in await vault.aliases():
            yield f"{side.name}: {alias}", (await vault.resolve(alias)).encode()
    finally:
        await vault.aclose()
    for file in sorted(side.folder.rglob("*")):
        if file.is_file():
            yield f"{side.name}: {file.name}", file.read_bytes()
