"""Which secrets in the vault are the control plane's own, and needed by nobody any more."""

from dataclasses import replace

import pytest

from control_plane.adapters.memory_stores import memory_stores
from control_plane.domain.transfer_process import ResourcePhase, TransferProcessState, data_address_alias
from control_plane.ports.stores import Stores
from control_plane.services.data_plane_registry import _secret_alias
from control_plane.services.orphaned_secrets import OrphanedSecrets
from tests.control_plane_entities import data_plane_registration, transfer_process
from tests.fakes import ManualClock
from vault_adapters.memory import InMemoryVault

S, R = TransferProcessState, ResourcePhase


@pytest.fixture
def stores() -> Stores:
    return memory_stores(ManualClock())


async def orphans(stores: Stores, *aliases: str) -> dict[str, str]:
    """What is found in a vault with these aliases: reason by alias."""
    vault = InMemoryVault(dict.fromkeys(aliases, "planted-secret"))
    found = await OrphanedSecrets(vault, stores).find()
    assert await vault.aliases() == sorted(aliases), "looking changes nothing"
    return {orphan.alias: orphan.reason for orphan in found}


async def proven(stores: Stores, *aliases: str) -> list[str]:
    """The aliases among these that may be removed without asking anybody."""
    vault = InMemoryVault(dict.fromkeys(aliases, "planted-secret"))
    return [orphan.alias for orphan in await OrphanedSecrets(vault, stores).find() if orphan.is_proven]


@pytest.mark.parametrize(
    ("state", "resources", "is_orphan"),
    [
        (S.INITIAL, R.NONE, False),
        (S.PROVISIONING, R.HELD, False),
        (S.STARTED, R.HELD, False),
        (S.SUSPENDED, R.HELD, False),
        (S.TERMINATING, R.HELD, False),
        (S.COMPLETED, R.REVOKING, False),
        (S.TERMINATED, R.DEPROVISIONING, False),
        (S.TERMINATED, R.NONE, True),
        (S.COMPLETED, R.REVOKED, True),
        (S.COMPLETED, R.DEPROVISIONED, True),
        (S.TERMINATED, R.DEPROVISIONED, True),
    ],
)
async def test_a_secret_is_an_orphan_once_its_transfer_has_ended_and_cleaned_up(
    stores: Stores, state: TransferProcessState, resources: ResourcePhase, is_orphan: bool
) -> None:
    process = transfer_process("t-1", state=state, resources=resources)
    await stores.transfer_processes.create(process, due_at=None)
    alias = data_address_alias("t-1")
    expected = {alias: f"the transfer has ended ({state.name})"} if is_orphan else {}
    assert await orphans(stores, alias) == expected
    assert await proven(stores, alias) == list(expected)


async def test_a_secret_of_a_transfer_that_is_not_there_may_be_another_control_planes(stores: Stores) -> None:
    alias = data_address_alias("never-written")
    assert await orphans(stores, alias) == {alias: "there is no such transfer"}
    assert await proven(stores, alias) == []


async def test_the_client_secret_of_an_unknown_data_plane_may_be_another_control_planes(
    stores: Stores,
) -> None:
    there, gone = _secret_alias("plane-1"), _secret_alias("plane-2")
    registration = data_plane_registration("plane-1")
    assert registration.credentials is not None
    credentials = replace(registration.credentials, secret_alias=there)
    await stores.data_plane_registrations.create(replace(registration, credentials=credentials))
    await stores.data_plane_registrations.create(data_plane_registration("plane-3", credentials=None))
    assert await orphans(stores, there, gone) == {gone: "no registered data plane has it"}
    assert await proven(stores, there, gone) == []


async def test_what_has_another_form_is_nobody_elses_business(stores: Stores) -> None:
    others = (
        "providerorg",
        "management-api-key",
        "transfer-process-notes",
        "data-plane-1-client-secret",
        "data-flow-t-1-source",
        "control-plane-" + "0" * 40 + "-client-secret",
        "my-transfer-process-t-1-data-address",
    )
    assert await orphans(stores, *others) == {}


async def test_many_registrations_are_read_page_by_page(stores: Stores) -> None:
    used = []
    for number in range(450):
        registration = data_plane_registration(f"plane-{number}")
        assert registration.credentials is not None
        used.append(_secret_alias(f"plane-{number}"))
        credentials = replace(registration.credentials, secret_alias=used[-1])
        await stores.data_plane_registrations.create(replace(registration, credentials=credentials))
    assert await orphans(stores, *used) == {}
