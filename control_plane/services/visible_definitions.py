"""Which contract definitions a participant may see the offers of; each policy is read and evaluated once."""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from connector_spi.clock import Clock
from control_plane.domain.contract_definition import ContractDefinition
from control_plane.domain.participant import Participant
from control_plane.domain.policy import Policy
from control_plane.domain.policy_context import PolicyContext, PolicyScope
from control_plane.domain.query import Criterion, QuerySpec
from control_plane.ports.stores import Definition, DefinitionStore, Stores
from control_plane.services.policy_engine import PolicyEngine

Item = TypeVar("Item")

_AT_ONCE: Final = 500
"""Definitions read by one query."""


@dataclass(frozen=True, slots=True)
class VisibleDefinition:
    """A contract definition that the participant may see, and what its offers say."""

    definition: ContractDefinition
    policy: Policy


class VisibleDefinitions:
    """Looks contract definitions up for participants."""

    def __init__(self, stores: Stores, policies: PolicyEngine, clock: Clock) -> None:
        self._stores = stores
        self._policies = policies
        self._clock = clock

    async def of(self, caller: Participant) -> list[VisibleDefinition]:
        """Those whose access policy the caller meets, oldest first.

        Raises:
            TransientError: a policy could not be evaluated now.
        """
        # By id: a page may repeat one, when others come and go between two pages.
        by_id = {definition.id: definition async for definition in _all(self._stores.contract_definitions)}
        return await self._visible(list(by_id.values()), caller)

    async def find(self, definition_id: str, caller: Participant) -> VisibleDefinition | None:
        """The one with this id, or None when there is none that the caller may see.

        Raises:
            TransientError: a policy could not be evaluated now.
        """
        definition = await self._stores.contract_definitions.find(definition_id)
        visible = await self._visible([definition], caller) if definition else []
        return visible[0] if visible else None

    async def _visible(self, definitions: Sequence[ContractDefinition], caller: Participant) -> list[VisibleDefinition]:
        access = await self._policies_named(definition.access_policy_id for definition in definitions)
        context = PolicyContext(scope=PolicyScope.CATALOG, counterparty=caller, now=self._clock.now())
        met = {name for name, policy in access.items() if await self._policies.denial(policy, context) is None}
        visible = [definition for definition in definitions if definition.access_policy_id in met]
        contract = await self._policies_named(definition.contract_policy_id for definition in visible)
        return [
            VisibleDefinition(definition, contract[definition.contract_policy_id])
            for definition in visible
            if definition.contract_policy_id in contract
        ]

    async def _policies_named(self, ids: Iterable[str]) -> dict[str, Policy]:
        found: dict[str, Policy] = {}
        for some in _batches(list(dict.fromkeys(ids))):
            named = Criterion(operand_left="id", operator="in", operand_right=some)
            for definition in await self._stores.policy_definitions.query(QuerySpec(limit=_AT_ONCE, criteria=(named,))):
                found[definition.id] = definition.policy
        return found


async def _all(store: DefinitionStore[Definition]) -> AsyncIterator[Definition]:
    offset = 0
    while page := await store.query(QuerySpec(offset=offset, limit=_AT_ONCE)):
        for definition in page:
            yield definition
        offset += len(page)


def _batches(items: list[Item]) -> Iterator[list[Item]]:
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]
