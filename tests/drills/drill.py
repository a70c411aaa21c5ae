"""The stage of a drill: two organisations on chosen vaults, with storage that can be held back."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import psutil

from connector_cli.demo.vaults.furniture import OrganisationVault
from emulators.certificates import Certificates
from tests.conftest import AzuriteForTests
from tests.drills.hygiene import Hygiene
from tests.drills.pace import STREAMED, Pace
from tests.drills.transfers import Transfer, offered, requested
from tests.end_to_end.stage import Stage, two_organisations
from tests.fault_proxy.proxy import fault_proxy


@dataclass(frozen=True, slots=True)
class Drill:
    """`pids`: of the processes as they were started, by name."""

    stage: Stage
    hygiene: Hygiene
    pace: Pace
    pids: dict[str, int]

    async def begun(self, asset_id: str, *, objects: int = 40) -> Transfer:
        """A new transfer in its middle, with its signature in both vaults."""
        agreement, digests = await offered(self.stage, asset_id, objects=objects)
        transfer = await requested(self.stage, self.pace, agreement, digests)
        await transfer.more_arrive(1)
        await self.hygiene.look()
        return transfer

    def all_processes_go_on(self) -> None:
        """None has ended, and none was replaced."""
        for name, pid in self.pids.items():
            assert self.stage.processes[name].pid == pid
            assert psutil.Process(pid).status() != psutil.STATUS_ZOMBIE, f"{name} has ended"

    async def end_well(self, *transfers: Transfer) -> None:
        """They complete in the same processes, and nothing of them is left when they are deprovisioned."""
        for transfer in transfers:
            await transfer.completed()
        self.all_processes_go_on()
        await self.is_clean_after(*transfers)

    async def is_clean_after(self, *transfers: Transfer) -> None:
        """No secret is left, before and after they are deprovisioned; every access is on record."""
        await self.hygiene.nothing_is_left_in_vaults()
        for transfer in transfers:
            await self.stage.deprovision(transfer.process_id)
        await self.hygiene.nothing_is_left_in_vaults()
        self.hygiene.nothing_is_written_down()
        await self.hygiene.accesses_are_on_record(transfers)


@asynccontextmanager
async def paced_drill(
    storage: AzuriteForTests,
    folder: Path,
    vaults: Mapping[str, OrganisationVault] | None = None,
    *,
    outbox: str = "outbox",
    servers: tuple[Path, ...] = (),
    certificates: Certificates | None = None,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> AsyncIterator[Drill]:
    """Start everything. `outbox`: the provider's container; `servers`: see `Hygiene`; `certificates`: of storage.

    `environment`: settings of every process.
    """
    settings = {name: {**environment} for name in ("provider", "consumer")}
    settings["data plane"] = {**STREAMED, **environment}
    async with fault_proxy(storage.endpoint_template, certificates) as proxy:
        behind = replace(storage, endpoint_template=proxy.endpoint_template)
        async with two_organisations(behind, folder, outbox, settings, vaults=vaults) as stage:
            hygiene = Hygiene(stage, servers)
            await hygiene.begin()
            pids = {name: process.pid for name, process in stage.processes.items()}
            yield Drill(stage, hygiene, Pace(proxy), pids)
