"""Which secrets in the vault are this data plane's own, and needed by nobody; and what a flow leaves at its end."""

import asyncio
import hashlib
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from connector_spi.errors import StoreUnavailableError
from connector_spi.orphan_sweep import OrphanSweep
from connector_spi.signaling import DataFlowState
from data_plane.adapters.memory_control_plane_registry import MemoryControlPlaneRegistry
from data_plane.adapters.memory_data_flow_store import MemoryDataFlowStore
from data_plane.adapters.memory_secret_ledger import MemorySecretLedger
from data_plane.domain.data_flow import OwedWork
from data_plane.domain.registered_control_plane import RegisteredControlPlane
from data_plane.ports.secret_ledger import SecretOwner
from data_plane.services.credential_intake import CredentialIntake, vault_alias
from data_plane.services.orphaned_secrets import OrphanedSecrets
from data_plane.services.secret_sweeper import SecretSweeper
from tests.eventually import eventually
from tests.unit.data_plane.fakes import ManualClock, a_data_flow
from tests.unit.data_plane.plane import PlaneInMemory
from vault_adapters.memory import InMemoryVault

SOURCE = vault_alias("flow-1", "source")


@dataclass
class Plane:
    """A data plane's own storage, on a vault that others may share."""

    secrets: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clock = ManualClock()
        self.vault = InMemoryVault(self.secrets)
        self.ledger = MemorySecretLedger(self.clock)
        self.store = MemoryDataFlowStore(self.clock)
        self.known = MemoryControlPlaneRegistry()
        self.intake = CredentialIntake(self.vault, self.store, self.ledger)
        self.orphans = OrphanedSecrets(
            vault=self.vault, ledger=self.ledger, store=self.store, known=self.known, clock=self.clock
        )

    async def found(self) -> dict[str, str]:
        return {orphan.alias: orphan.reason for orphan in await self.orphans.find()}


async def test_a_secret_that_was_stored_for_a_flow_that_was_never_written_is_an_orphan() -> None:
    plane = Plane()
    await plane.intake.keep("flow-1", {SOURCE: "secret"})
    assert await plane.found() == {SOURCE: "there is no such data flow"}


async def test_data_planes_on_one_vault_leave_each_others_secrets_alone() -> None:
    shared: dict[str, str] = {}
    ours, theirs = Plane(shared), Plane(shared)
    await theirs.intake.keep("flow-1", {SOURCE: "secret"})
    await theirs.store.add(a_data_flow("flow-1", vault_aliases=(SOURCE,)))
    assert (await ours.found(), await theirs.found()) == ({}, {})


@pytest.mark.parametrize(
    ("state", "owed", "is_orphan"),
    [
        (DataFlowState.STARTED, (), False),
        (DataFlowState.SUSPENDED, (), False),
        (DataFlowState.COMPLETED, (OwedWork.SECRET_DELETION,), False),
        (DataFlowState.COMPLETED, (OwedWork.COMPLETED_CALLBACK,), True),
        (DataFlowState.TERMINATED, (), True),
    ],
)
@pytest.mark.parametrize("noted", [True, False], ids=["noted", "from before the ledger"])
async def test_a_secret_is_an_orphan_once_its_flow_has_ended_and_cleaned_up(
    state: DataFlowState, owed: tuple[OwedWork, ...], is_orphan: bool, noted: bool
) -> None:
    plane = Plane({SOURCE: "secret"})
    if noted:
        await plane.ledger.note(SecretOwner.DATA_FLOW, "flow-1", [SOURCE])
    await plane.store.add(a_data_flow("flow-1", state=state, owed=owed, vault_aliases=(SOURCE,)))
    assert await plane.found() == ({SOURCE: f"the data flow has ended ({state.value})"} if is_orphan else {})


async def test_a_flow_whose_id_no_vault_takes_is_known_by_the_ledger() -> None:
    plane = Plane()
    alias = vault_alias("urn:uuid:flow 1", "destination")
    assert hashlib.sha256(b"urn:uuid:flow 1").hexdigest() in alias
    await plane.intake.keep("urn:uuid:flow 1", {alias: "secret"})
    await plane.store.add(a_data_flow("urn:uuid:flow 1"))
    assert await plane.found() == {}


async def test_the_secret_of_a_control_plane_that_has_left_is_an_orphan() -> None:
    plane = Plane({"control-plane-1": "secret", "control-plane-2": "secret", "control-plane-other": "secret"})
    for number in ("1", "2"):
        await plane.ledger.note(SecretOwner.CONTROL_PLANE, f"cp/{number}", [f"control-plane-{number}"])
    there = RegisteredControlPlane(id="cp/1", endpoint="https://cp.example", secret_alias="control-plane-1")
    await plane.known.save(there)
    assert await plane.found() == {"control-plane-2": "no registered control plane has it"}
    await plane.known.save(replace(there, secret_alias=""))
    assert set(await plane.found()) == {"control-plane-1", "control-plane-2"}


async def test_what_others_keep_in_the_vault_is_none_of_ours() -> None:
    others = ("data-flow-plan", "transfer-process-t-1-data-address", "providerorg", "control-plane-token")
    assert await Plane(dict.fromkeys(others, "secret")).found() == {}


async def test_the_ledger_loses_what_is_over_and_old_and_nothing_else() -> None:
    plane = Plane()
    await plane.intake.keep("there", {vault_alias("there", "source"): "secret"})
    await plane.store.add(a_data_flow("there"))
    await plane.ledger.note(SecretOwner.DATA_FLOW, "there", [vault_alias("there", "destination")])
    await plane.ledger.note(SecretOwner.DATA_FLOW, "gone", [vault_alias("gone", "source")])
    plane.clock.advance(3600)
    await plane.ledger.note(SecretOwner.DATA_FLOW, "being-made", [vault_alias("being-made", "source")])
    await plane.orphans.tidy_ledger(older_than=timedelta(minutes=1))
    left = {entry.owner_id for entry in await plane.ledger.entries()}
    assert left == {"there", "being-made"}


async def test_the_sweeper_removes_and_tidies() -> None:
    plane = Plane()
    await plane.intake.keep("flow-1", {SOURCE: "secret"})
    waiting = timedelta(milliseconds=20)
    sweep = OrphanSweep(find=plane.orphans.find, vault=plane.vault, clock=plane.clock, waiting=waiting)

    async def is_gone() -> bool:
        plane.clock.advance(1)
        return not plane.secrets and not await plane.ledger.entries()

    running = asyncio.create_task(SecretSweeper(sweep, plane.orphans, waiting).run())
    await eventually(is_gone)
    running.cancel()


async def test_no_secret_is_stored_that_could_not_be_noted() -> None:
    class NoLedger(MemorySecretLedger):
        async def note(self, *_args: object) -> None:
            raise StoreUnavailableError("The database did not answer.")

    plane = Plane()
    intake = CredentialIntake(plane.vault, plane.store, NoLedger(plane.clock))
    with pytest.raises(StoreUnavailableError):
        await intake.keep("flow-1", {SOURCE: "secret"})
    assert plane.secrets == {}


@pytest.mark.parametrize(
    ("state", "left"), [(DataFlowState.STARTED, [SOURCE]), (DataFlowState.TERMINATED, []), (None, [])]
)
async def test_secrets_stored_for_a_flow_that_another_process_has_made_and_ended_are_withdrawn(
    state: DataFlowState | None, left: list[str]
) -> None:
    plane = Plane()

    async def make() -> None:
        async with plane.intake.keeping("flow-1", {SOURCE: "secret"}):
            if state is not None:
                await plane.store.add(a_data_flow("flow-1", state=state))
            raise RuntimeError("the flow is there already")

    with pytest.raises(RuntimeError):
        await make()
    assert sorted(plane.secrets) == left


async def test_the_end_of_a_flow_takes_along_what_a_failed_change_had_stored() -> None:
    plane = PlaneInMemory()
    # The second as a message leaves it that stored its secrets, and whose change of the flow was then refused.
    await plane.intake.keep("flow-1", {SOURCE: "secret", vault_alias("flow-1", "source-refreshToken"): "secret"})
    now = plane.clock.now()
    ended = a_data_flow("flow-1", state=DataFlowState.TERMINATED, updated_at=now, vault_aliases=(SOURCE,))
    await plane.store.add(ended.owing(OwedWork.SECRET_DELETION, at=now))

    async def is_clean() -> bool:
        flow = await plane.store.find("flow-1")
        return flow is not None and not flow.owed

    working = asyncio.create_task(plane.owed_work.run())
    await eventually(is_clean)
    working.cancel()
    assert (plane.secrets, await plane.ledger.entries()) == ({}, [])
