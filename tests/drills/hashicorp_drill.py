"""A drill whose two organisations have a HashiCorp Vault, each a folder of its own in the same one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import AzuriteForTests
from tests.drills.commands import write_credential
from tests.drills.drill import Drill, paced_drill
from tests.drills.server_vaults import hashicorp_vault
from tests.emulated import RunningVault, running_vault


@dataclass(frozen=True, slots=True)
class VaultDrill:
    """A drill, the vault, and the file that all processes log in with."""

    drill: Drill
    vault: RunningVault
    secret_id_file: Path

    async def replace_secret_id(self) -> None:
        """A new one, for the server and in the file; the old one is refused."""
        secret_id = await self.vault.rotate_secret_id()
        self.drill.hygiene.known.add(secret_id)
        write_credential(self.secret_id_file, secret_id)


@asynccontextmanager
async def hashicorp_drill(
    storage: AzuriteForTests, folder: Path, *, cache_seconds: float, outbox: str = "outbox"
) -> AsyncIterator[VaultDrill]:
    """Start everything. `outbox`: the provider's container."""
    async with running_vault(folder / "server") as vault:
        secret_id_file = folder / "credentials" / "secret-id"
        write_credential(secret_id_file, vault.secret_id)
        vaults = {
            name: hashicorp_vault(vault, name, secret_id_file, cache_seconds=cache_seconds)
            for name in ("provider", "consumer")
        }
        kept = (folder / "server" / "vault.json",)
        async with paced_drill(storage, folder, vaults, outbox=outbox, servers=kept) as drill:
            drill.hygiene.known.add(vault.secret_id)
            yield VaultDrill(drill, vault, secret_id_file)
