"""The Vault port: the only place where a secret rests."""

from typing import Protocol


class Vault(Protocol):
    """Keeps secrets under aliases that this connector chose (never the counterparty).

    An alias is 1 to 200 characters of `A-Z a-z 0-9 . _ / -`; adapters escape it reversibly for their technology. A
    value is text, at most 25,000 characters. Implementations are safe for concurrent use by several processes.
    """

    async def resolve(self, alias: str) -> str:
        """The secret's value.

        Raises:
            SecretNotFoundError: the vault answered, and has no such secret.
            VaultForbiddenError: the vault refused this caller.
            VaultUnavailableError: the vault did not answer.
        """
        ...

    async def store(self, alias: str, value: str) -> None:
        """Store or replace; durable when this returns.

        Raises:
            InvalidInputError: alias or value break the rules above.
            VaultForbiddenError, VaultUnavailableError: as for `resolve`; the old value stands.
        """
        ...

    async def delete(self, alias: str) -> None:
        """Remove the secret and what the technology lets us remove of its history; does nothing when it is absent.

        Raises:
            VaultForbiddenError, VaultUnavailableError: as for `resolve`.
        """
        ...

    async def aliases(self, prefix: str = "") -> list[str]:
        """Every alias that starts with `prefix`, sorted. For operators and for the sweep of orphans.

        Raises:
            VaultForbiddenError, VaultUnavailableError: as for `resolve`.
        """
        ...

    def forget(self, alias: str) -> None:
        """Ask the vault itself the next time that `alias` is resolved; does nothing where nothing is kept in memory.

        For callers to whom a secret was refused (401, 403): it may have been changed in the vault since it was read.
        """
        ...

    async def aclose(self) -> None:
        """Release connections and file handles; safe to call twice."""
        ...
