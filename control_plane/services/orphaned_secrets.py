"""OrphanedSecrets: what the control plane has put into the vault, and nobody needs any more.

Its aliases are told by their form. One that no row of our database knows may be that of another control plane, which
shares the vault against the rules, or our database may be the wrong one: that is for an operator to decide. A row is
written before the secret of its transfer, so a crash alone leaves none like that.
"""

import re
from collections.abc import AsyncIterator, Sequence
from typing import Final

from connector_spi.orphan_sweep import OrphanedSecret
from connector_spi.vault import Vault
from control_plane.domain.data_plane_registration import DataPlaneRegistration
from control_plane.domain.query import QuerySpec
from control_plane.domain.transfer_process import ResourcePhase, data_address_alias
from control_plane.ports.stores import Stores

_PAGE: Final = 200
_OF_TRANSFER: Final = re.compile(re.escape(data_address_alias("\0")).replace(re.escape("\0"), "(.+)"))
_OF_DATA_PLANE: Final = re.compile(r"data-plane-[0-9a-f]{32}-client-secret")
"""The form that `data_plane_registry` gives; an operator's own `data-plane-1-client-secret` is none."""
_SETTLED: Final = frozenset({ResourcePhase.NONE, ResourcePhase.REVOKED, ResourcePhase.DEPROVISIONED})
"""Whoever is REVOKING or DEPROVISIONING deletes its secret by itself, however long the vault needs for it."""


class OrphanedSecrets:
    """Looks; removes nothing."""

    def __init__(self, vault: Vault, stores: Stores) -> None:
        self._vault = vault
        self._processes = stores.transfer_processes
        self._registrations = stores.data_plane_registrations

    async def find(self) -> Sequence[OrphanedSecret]:
        """The orphans at this moment.

        Raises:
            VaultForbiddenError, VaultUnavailableError, StoreUnavailableError: vault or store did not tell.
        """
        return [*await self._of_transfers(), *await self._of_data_planes()]

    async def _of_transfers(self) -> list[OrphanedSecret]:
        found = []
        for alias in await self._vault.aliases("transfer-process-"):
            if (own := _OF_TRANSFER.fullmatch(alias)) is None:
                continue
            process = await self._processes.find(own[1])
            if process is None:
                found.append(OrphanedSecret(alias, "there is no such transfer", is_proven=False))
            elif process.is_outcome and process.resources in _SETTLED:
                found.append(OrphanedSecret(alias, f"the transfer has ended ({process.state.name})"))
        return found

    async def _of_data_planes(self) -> list[OrphanedSecret]:
        aliases = [alias for alias in await self._vault.aliases("data-plane-") if _OF_DATA_PLANE.fullmatch(alias)]
        if not aliases:
            return []
        used = {known.credentials.secret_alias async for known in self._known() if known.credentials is not None}
        orphans = [alias for alias in aliases if alias not in used]
        return [OrphanedSecret(alias, "no registered data plane has it", is_proven=False) for alias in orphans]

    async def _known(self) -> AsyncIterator[DataPlaneRegistration]:
        offset = 0
        while page := await self._registrations.query(QuerySpec(offset=offset, limit=_PAGE)):
            for registration in page:
                yield registration
            offset += len(page)
