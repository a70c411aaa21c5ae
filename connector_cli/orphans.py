"""The orphaned secrets of the planes that a configuration describes."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from connector_cli.settings import ConnectorSettings
from connector_spi.clock import SystemClock
from connector_spi.orphan_sweep import FindOrphans
from connector_spi.vault import Vault
from control_plane.bootstrap.orphans import open_orphaned_secrets as of_control_plane
from data_plane.bootstrap.orphans import open_orphaned_secrets as of_data_plane


@dataclass(frozen=True, slots=True)
class PlaneOrphan:
    """A secret that a plane stored, and that nobody needs any more."""

    alias: str
    plane: str
    reason: str


@asynccontextmanager
async def open_orphans(settings: ConnectorSettings, vault: Vault) -> AsyncIterator["Orphans"]:
    """Look with the eyes of `connector run`, or of `connector data-plane` where there is no participant.

    Raises:
        ConfigurationError: a database is not there.
    """
    planes: dict[str, FindOrphans] = {}
    async with AsyncExitStack() as stack:
        if settings.participant is not None:
            own = of_control_plane(settings.database.url, vault, SystemClock())
            planes["control plane"] = (await stack.enter_async_context(own)).find
        if settings.participant is None or settings.embedded_data_plane:
            theirs = of_data_plane(settings.data_plane.database_url, vault, SystemClock())
            planes["data plane"] = (await stack.enter_async_context(theirs)).find
        yield Orphans(planes)


@dataclass(frozen=True, slots=True)
class Orphans:
    """Looks; removes nothing."""

    planes: dict[str, FindOrphans]

    async def find(self) -> list[PlaneOrphan]:
        """The orphans at this moment.

        Raises:
            VaultForbiddenError, VaultUnavailableError, StoreUnavailableError: vault or database did not tell.
        """
        return [
            PlaneOrphan(orphan.alias, plane, orphan.reason)
            for plane, find in self.planes.items()
            for orphan in await find()
        ]
