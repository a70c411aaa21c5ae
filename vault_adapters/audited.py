"""A vault that tells the log of each access to a secret: who, which alias, what for, and how it ended."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from connector_spi.errors import ConnectorError
from connector_spi.log_context import current_facts
from connector_spi.vault import Vault
from connector_spi.vault_access import current_vault_purpose

_log: Final = logging.getLogger("connector.audit.vault")

_DONE: Final = {"resolve": "secret read", "store": "secret stored", "delete": "secret deleted"}
_NOT_DONE: Final = {"resolve": "secret not read", "store": "secret not stored", "delete": "secret not deleted"}
_OCCASIONS: Final = {
    "transfer_process_id": "transfer process",
    "data_flow_id": "data flow",
    "negotiation_id": "negotiation",
}
"""What an access belongs to that tells no purpose of its own, by the fact of the log context."""


class AuditedVault:
    """Implements `connector_spi.vault.Vault` over another one.

    One record for each access, with the outcome, before the caller gets the value. A list of aliases touches no secret
    and makes no record.
    """

    def __init__(self, inner: Vault, *, actor: str) -> None:
        """`actor`: the process and whom it acts for, such as `connector provider`."""
        self._inner = inner
        self._actor = actor

    async def resolve(self, alias: str) -> str:
        """The secret's value; errors as for the port."""
        with self._recorded("resolve", alias):
            return await self._inner.resolve(alias)

    async def store(self, alias: str, value: str) -> None:
        """Store or replace; errors as for the port."""
        with self._recorded("store", alias):
            await self._inner.store(alias, value)

    async def delete(self, alias: str) -> None:
        """Remove the secret; errors as for the port."""
        with self._recorded("delete", alias):
            await self._inner.delete(alias)

    async def aliases(self, prefix: str = "") -> list[str]:
        """Every alias that starts with `prefix`; errors as for the port."""
        return await self._inner.aliases(prefix)

    def forget(self, alias: str) -> None:
        """As the vault below does."""
        self._inner.forget(alias)

    async def aclose(self) -> None:
        """Close the vault below."""
        await self._inner.aclose()

    @contextmanager
    def _recorded(self, operation: str, alias: str) -> Iterator[None]:
        try:
            yield
        except ConnectorError as error:
            self._record(operation, alias, error.code)
            raise
        except BaseException as error:
            # A cancelled or broken access may have happened all the same.
            self._record(operation, alias, type(error).__name__)
            raise
        self._record(operation, alias, "ok")

    def _record(self, operation: str, alias: str, outcome: str) -> None:
        told = _DONE if outcome == "ok" else _NOT_DONE
        access = {
            "actor": self._actor,
            "operation": operation,
            "alias": alias,
            "outcome": outcome,
            "purpose": current_vault_purpose() or _occasion(),
        }
        _log.info(told[operation], extra=current_facts() | access)


def _occasion() -> str:
    facts = current_facts()
    return next((f"{name} {facts[fact]}" for fact, name in _OCCASIONS.items() if fact in facts), "not told")
