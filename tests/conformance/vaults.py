"""The vaults that the port's suite runs over, each opened as the factory opens it."""

import os
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from connector_spi.clock import SystemClock
from connector_spi.vault import Vault
from tests.emulated import RunningKeyVault, RunningVault
from tests.identities import open_identities
from vault_adapters.audited import AuditedVault
from vault_adapters.cached import CachedVault
from vault_adapters.factory import create_vault, open_vault
from vault_adapters.local import VaultKey
from vault_adapters.memory import InMemoryVault
from vault_adapters.settings import AzureKeyVaultSettings, HashiCorpVaultSettings, LocalVaultSettings

OpenOneMore = Callable[[], AbstractAsyncContextManager[Vault]]
"""Opens one more instance on the same storage, as another process would, and closes it."""

CREDENTIAL: Final = "VAULT_CREDENTIAL"
"""The environment variable that holds what opens a vault."""
CACHE_SECONDS: Final = 60.0
"""Longer than a test, so that what a test sees in time is not there by the passing of time."""


@dataclass(frozen=True, slots=True)
class Wrapping:
    """The wrappers around a vault: cache and audit, or neither."""

    cached: bool

    @property
    def settings(self) -> dict[str, Any]:
        """As the configuration says it."""
        return {"cache_seconds": CACHE_SECONDS if self.cached else 0, "audit": self.cached}

    def around(self, vault: Vault) -> Vault:
        """As the factory does it."""
        if not self.cached:
            return vault
        cached = CachedVault(vault, kept_for=timedelta(seconds=CACHE_SECONDS), clock=SystemClock())
        return AuditedVault(cached, actor="test")


def in_memory(wrapping: Wrapping) -> OpenOneMore:
    """Instances that share a dictionary."""
    shared: dict[str, str] = {}
    return lambda: closing(wrapping.around(InMemoryVault(shared)))


def in_a_file(path: Path, wrapping: Wrapping) -> OpenOneMore:
    """The embedded vault."""
    settings = LocalVaultSettings(type="local", file=path, key_env=CREDENTIAL, **wrapping.settings)
    environ = {CREDENTIAL: VaultKey.generate().to_text()}
    return lambda: closing(create_vault(settings, environ))


def approle_settings(server: RunningVault, **changes: Any) -> HashiCorpVaultSettings:
    """Settings that log in to the server by AppRole, in a folder of their own."""
    login = {"method": "approle", "role_id": server.role_id, "secret_id_env": CREDENTIAL}
    return hashicorp_settings(server.url, login, mount=server.mount, ca_file=server.ca_file, **changes)


def hashicorp_settings(url: str, login: dict[str, Any], **changes: Any) -> HashiCorpVaultSettings:
    """Settings for a folder that nobody else uses, without wrappers."""
    table = {
        "type": "hashicorp",
        "url": url,
        "login": login,
        "folder": f"test-{uuid.uuid4().hex}",
        "cache_seconds": 0,
        "audit": False,
    }
    return HashiCorpVaultSettings.model_validate(table | changes)


def in_emulated_hashicorp(server: RunningVault, wrapping: Wrapping, **changes: Any) -> OpenOneMore:
    """HashiCorp Vault as the emulator plays it."""
    settings = approle_settings(server, **wrapping.settings, **changes)
    return lambda: closing(open_vault(settings, {CREDENTIAL: server.secret_id}))


def in_real_hashicorp(wrapping: Wrapping) -> OpenOneMore:
    """Any server at VAULT_ADDR, with VAULT_TOKEN; a KV version 2 engine at VAULT_MOUNT, `secret` by default."""
    login = {"method": "token", "token_env": "VAULT_TOKEN"}
    environ = os.environ
    settings = hashicorp_settings(
        environ["VAULT_ADDR"],
        login,
        mount=environ.get("VAULT_MOUNT", "secret"),
        namespace=environ.get("VAULT_NAMESPACE") or None,
        ca_file=environ.get("VAULT_CACERT") or None,
        **wrapping.settings,
    )
    return lambda: closing(open_vault(settings, environ))


def in_key_vault(server: RunningKeyVault, wrapping: Wrapping, **changes: Any) -> OpenOneMore:
    """Azure Key Vault as the emulator plays it."""
    settings = AzureKeyVaultSettings(
        type="azure-key-vault",
        url=server.url,
        identity="own",
        verify_challenge_resource=False,
        ca_file=server.ca_file,
        **wrapping.settings,
        **changes,
    )

    @asynccontextmanager
    async def opened() -> AsyncIterator[Vault]:
        async with (
            open_identities(server.entra) as credentials,
            closing(open_vault(settings, {}, credentials)) as vault,
        ):
            yield vault

    return opened


@asynccontextmanager
async def closing(vault: Vault) -> AsyncIterator[Vault]:
    """Close it at the end."""
    try:
        yield vault
    finally:
        await vault.aclose()


async def delete_all(vault: Vault) -> None:
    """Make it as empty as a new one."""
    for alias in await vault.aliases():
        await vault.delete(alias)
