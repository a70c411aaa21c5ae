"""What each kind of vault brings to the demo."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from connector_cli.azurite import ServerCertificate
from connector_spi.vault import Vault


@dataclass(frozen=True, slots=True)
class OrganisationVault:
    """One organisation's vault: `tables` of its configuration, and `open` for its operator.

    `identity`: the one of `tables` that opens its storage account; without it, the account's key is in the vault.
    """

    tables: str
    open: Callable[[], Vault]
    identity: str | None = None


@dataclass(frozen=True, slots=True)
class Furniture:
    """The vault of each organisation, by name, and what the audience is told about them.

    `certificates`: storage serves https with them, and takes tokens of Entra ID besides account keys.
    """

    told: str
    vaults: Mapping[str, OrganisationVault]
    certificates: ServerCertificate | None = None


Furnishing = Callable[[Mapping[str, Path]], AbstractAsyncContextManager[Furniture]]
"""Brings the vaults, given each organisation's folder; they are there while the context is open."""


def write_secret(file: Path, secret: str) -> None:
    """Into a new file that nobody else may read."""
    file.touch(mode=0o600, exist_ok=False)
    file.write_text(secret, encoding="utf-8")
