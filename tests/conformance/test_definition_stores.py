"""One text over every store of definitions: what `DefinitionStore` promises."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings

from connector_spi.errors import ConflictError, NotFoundError
from control_plane.domain.asset import Asset
from control_plane.domain.contract_definition import ContractDefinition
from control_plane.domain.policy import PolicyDefinition
from control_plane.domain.query import QuerySpec
from control_plane.ports.stores import DefinitionStore, Stores
from tests import control_plane_entities as examples
from tests.conformance.conftest import OpenStores

MAKERS: dict[str, Callable[..., Any]] = {
    "assets": examples.asset,
    "policy_definitions": examples.policy_definition,
    "contract_definitions": examples.contract_definition,
    "data_plane_registrations": examples.data_plane_registration,
}
CHANGED_DEFINITION = {"private_properties": {"colour": "red"}, "created_at": examples.moment(1)}
CHANGES = {
    "data_plane_registrations": {"endpoint": "https://other.example", "labels": ("a",), "credentials": None},
}
FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@dataclass(frozen=True, slots=True)
class Subject:
    """A kind of definition under test."""

    make: Callable[..., Any]
    store: DefinitionStore[Any]
    changes: Mapping[str, Any]
    """Something else for members of it."""


@pytest.fixture(params=list(MAKERS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def subject(kind: str, stores: Stores) -> Subject:
    return Subject(MAKERS[kind], getattr(stores, kind), CHANGES.get(kind, CHANGED_DEFINITION))


async def test_a_definition_is_found_as_it_was_created(subject: Subject) -> None:
    await subject.store.create(subject.make("one"))
    assert await subject.store.find("one") == subject.make("one")
    assert await subject.store.find("another") is None


async def test_the_same_id_twice_is_a_conflict_and_changes_nothing(subject: Subject) -> None:
    await subject.store.create(subject.make("one"))
    with pytest.raises(ConflictError):
        await subject.store.create(subject.make("one", participant_id="did:web:other"))
    assert await subject.store.find("one") == subject.make("one")


async def test_a_replaced_definition_is_the_new_one(subject: Subject) -> None:
    await subject.store.create(subject.make("one"))
    await subject.store.create(subject.make("two"))
    changed = subject.make("one", **subject.changes)
    await subject.store.replace(changed)
    assert await subject.store.find("one") == changed
    assert await subject.store.find("two") == subject.make("two")


async def test_a_deleted_definition_is_gone_and_its_id_free(subject: Subject) -> None:
    await subject.store.create(subject.make("one"))
    await subject.store.create(subject.make("two"))
    await subject.store.delete("one")
    assert await subject.store.find("one") is None
    assert await subject.store.query(QuerySpec()) == [subject.make("two")]
    await subject.store.create(subject.make("one"))


async def test_what_is_absent_can_be_neither_replaced_nor_deleted(subject: Subject) -> None:
    with pytest.raises(NotFoundError):
        await subject.store.replace(subject.make("absent"))
    with pytest.raises(NotFoundError):
        await subject.store.delete("absent")
    assert await subject.store.query(QuerySpec()) == []


async def test_of_creations_at_once_under_one_id_one_wins(kind: str, open_again: OpenStores) -> None:
    stores = [getattr(await open_again(), kind) for _ in range(2)]

    async def created(number: int) -> bool:
        try:
            await stores[number % 2].create(MAKERS[kind]("one", participant_id=f"did:web:{number}"))
        except ConflictError:
            return False
        return True

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(created(number)) for number in range(10)]
    winners = [number for number, task in enumerate(tasks) if task.result()]
    assert len(winners) == 1
    assert (await stores[0].find("one")).participant_id == f"did:web:{winners[0]}"


async def test_definitions_are_there_after_a_restart(kind: str, open_again: OpenStores) -> None:
    await getattr(await open_again(), kind).create(MAKERS[kind]("one"))
    assert await getattr(await open_again(), kind).find("one") == MAKERS[kind]("one")


@FEW
@given(asset=examples.assets)
async def test_any_asset_comes_back_as_it_was(stores: Stores, asset: Asset) -> None:
    asset = replace(asset, id=f"{asset.id}/{uuid4()}")
    await stores.assets.create(asset)
    assert await stores.assets.find(asset.id) == asset


@FEW
@given(definition=examples.policy_definitions)
async def test_any_policy_definition_comes_back_as_it_was(stores: Stores, definition: PolicyDefinition) -> None:
    definition = replace(definition, id=f"{definition.id}/{uuid4()}")
    await stores.policy_definitions.create(definition)
    assert await stores.policy_definitions.find(definition.id) == definition


@FEW
@given(definition=examples.contract_definitions)
async def test_any_contract_definition_comes_back_as_it_was(stores: Stores, definition: ContractDefinition) -> None:
    definition = replace(definition, id=f"{definition.id}/{uuid4()}")
    await stores.contract_definitions.create(definition)
    assert await stores.contract_definitions.find(definition.id) == definition
