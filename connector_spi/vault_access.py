"""Why a secret is touched: told by whoever touches it, written down where accesses to the vault are audited."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from connector_spi.vault import Vault

_PURPOSE: Final[ContextVar[str]] = ContextVar("vault_purpose", default="")


@contextmanager
def vault_purpose(purpose: str) -> Iterator[None]:
    """Every access to the vault inside is for this purpose: a few words, never a secret. The innermost counts."""
    token = _PURPOSE.set(purpose)
    try:
        yield
    finally:
        _PURPOSE.reset(token)


def current_vault_purpose() -> str:
    """The purpose of the present context; empty where nobody told one."""
    return _PURPOSE.get()


async def resolved(vault: Vault, alias: str, *, purpose: str) -> str:
    """The secret, read for this purpose.

    Raises:
        SecretNotFoundError, VaultForbiddenError, VaultUnavailableError: as for `Vault.resolve`.
    """
    with vault_purpose(purpose):
        return await vault.resolve(alias)
