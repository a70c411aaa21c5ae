"""SecretLedger: which secrets this data plane has put into the vault, and for whom.

Data planes with databases of their own may share a vault, so an alias alone does not tell whose it is. The ledger is
written before the vault, so that a secret is never there without a line in it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class SecretOwner(StrEnum):
    """Whom a secret belongs to."""

    DATA_FLOW = "DATA_FLOW"
    CONTROL_PLANE = "CONTROL_PLANE"
    """A registered control plane."""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One alias. Never holds the secret."""

    alias: str
    owner: SecretOwner
    owner_id: str
    noted_at: datetime
    """When it was noted last."""


class SecretLedger(Protocol):
    """Durable. Every method raises StoreUnavailableError when the database does not answer; nothing is then written."""

    async def note(self, owner: SecretOwner, owner_id: str, aliases: Collection[str]) -> None:
        """Write down that secrets for this owner are about to be stored under these aliases; may be repeated."""
        ...

    async def of(self, owner: SecretOwner, owner_id: str) -> Sequence[str]:
        """The aliases that are noted for this owner, sorted."""
        ...

    async def entries(self) -> Sequence[LedgerEntry]:
        """Everything that is noted, in the order of the aliases."""
        ...

    async def strike(self, aliases: Collection[str]) -> None:
        """Take these out: their secrets are deleted; unknown ones are passed over."""
        ...
