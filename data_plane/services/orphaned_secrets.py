"""OrphanedSecrets: what this data plane has put into the vault, and nobody needs any more.

Whose a secret is the ledger tells, so that data planes which share a vault leave each other's alone. Flows from before
the ledger know their aliases themselves.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from connector_spi.clock import Clock
from connector_spi.orphan_sweep import OrphanedSecret
from connector_spi.vault import Vault
from data_plane.domain.data_flow import DataFlow, OwedWork
from data_plane.ports.control_plane_registry import ControlPlaneRegistry
from data_plane.ports.data_flow_store import DataFlowStore
from data_plane.ports.secret_ledger import LedgerEntry, SecretLedger, SecretOwner

_PREFIXES: Final = ("data-flow-", "control-plane-")
_OF_FLOW: Final = re.compile(r"data-flow-(.+)-(?:source|destination|prepared|issued)(?:-authorization|-refreshToken)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class OrphanedSecrets:
    """Looks; removes nothing from the vault."""

    vault: Vault
    ledger: SecretLedger
    store: DataFlowStore
    known: ControlPlaneRegistry
    clock: Clock

    async def find(self) -> Sequence[OrphanedSecret]:
        """The orphans at this moment.

        Raises:
            VaultForbiddenError, VaultUnavailableError, StoreUnavailableError: vault or store did not tell.
        """
        noted = {entry.alias: entry for entry in await self.ledger.entries()}
        found = []
        for alias in await self._aliases():
            entry = noted.get(alias)
            reason = await (self._reason(entry) if entry is not None else self._reason_of_unnoted(alias))
            if reason:
                found.append(OrphanedSecret(alias, reason))
        return found

    async def tidy_ledger(self, *, older_than: timedelta) -> None:
        """Strike what was noted so long ago, is not in the vault and is nobody's.

        Raises:
            VaultForbiddenError, VaultUnavailableError, StoreUnavailableError: as for `find`.
        """
        before = self.clock.now() - older_than
        old = [entry for entry in await self.ledger.entries() if entry.noted_at < before]
        there = set(await self._aliases())
        gone = [entry for entry in old if entry.alias not in there]
        await self.ledger.strike([entry.alias for entry in gone if await self._reason(entry)])

    async def _aliases(self) -> list[str]:
        return [alias for prefix in _PREFIXES for alias in await self.vault.aliases(prefix)]

    async def _reason(self, entry: LedgerEntry) -> str:
        """Why nobody needs the secret; empty when somebody may."""
        if entry.owner is SecretOwner.CONTROL_PLANE:
            known = await self.known.find(entry.owner_id)
            used = known is not None and known.secret_alias == entry.alias
            return "" if used else "no registered control plane has it"
        flow = await self.store.find(entry.owner_id)
        return "there is no such data flow" if flow is None else _reason_of(flow)

    async def _reason_of_unnoted(self, alias: str) -> str:
        """The same without the ledger: an alias of a flow that is not ours may be another data plane's."""
        of_flow = _OF_FLOW.fullmatch(alias)
        flow = await self.store.find(of_flow[1]) if of_flow else None
        return _reason_of(flow) if flow is not None and alias in flow.vault_aliases else ""


def _reason_of(flow: DataFlow) -> str:
    # Owed work is tried without end: a flow that owes the deletion does it by itself.
    settled = flow.is_final and OwedWork.SECRET_DELETION not in flow.owed
    return f"the data flow has ended ({flow.state.value})" if settled else ""
