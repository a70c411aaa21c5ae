"""The catalog: what this participant offers, and what counterparties offer to it."""

from collections.abc import AsyncIterator
from typing import Any, Final

from connector_spi.clock import Clock
from control_plane.domain.asset import Asset
from control_plane.domain.contract_definition import ContractDefinition, ContractOffer, OfferId
from control_plane.domain.participant import Counterparty, Participant
from control_plane.domain.policy import Policy
from control_plane.domain.policy_context import PolicyContext, PolicyScope
from control_plane.domain.query import Criterion, QuerySpec
from control_plane.ports.dataspace_client import DataspaceClient
from control_plane.ports.stores import Stores
from control_plane.services.policy_engine import PolicyEngine

_PAGE: Final = 500


class CatalogService:
    """Makes offers from contract definitions, and asks others for theirs."""

    def __init__(self, stores: Stores, client: DataspaceClient, policies: PolicyEngine, clock: Clock) -> None:
        self._stores = stores
        self._client = client
        self._policies = policies
        self._clock = clock

    async def request_catalog(self, counterparty: Counterparty) -> dict[str, Any]:
        """The counterparty's catalog, its JSON as it came.

        Raises:
            PeerUnavailableError, PeerRefusedError, ForbiddenAddressError: as for DataspaceClient.
        """
        return await self._client.request_catalog(counterparty)

    async def request_dataset(self, counterparty: Counterparty, dataset_id: str) -> dict[str, Any]:
        """One dataset of the counterparty's catalog, its JSON as it came.

        Raises:
            PeerUnavailableError, PeerRefusedError, ForbiddenAddressError: as for DataspaceClient.
        """
        return await self._client.request_dataset(counterparty, dataset_id)

    async def offers(self, caller: Participant, asset_id: str | None = None) -> AsyncIterator[ContractOffer]:
        """What this participant offers to the caller, of all assets or of one."""
        async for definition in self._definitions():
            policy = await self._offered_policy(definition, caller)
            if policy is None:
                continue
            async for asset in self._assets(definition, asset_id):
                offer_id = OfferId(definition_id=definition.id, asset_id=asset.id)
                yield ContractOffer(id=offer_id, asset=asset, policy=policy)

    async def find_offer(self, caller: Participant, offer_id: OfferId) -> ContractOffer | None:
        """The offer with this id as it stands now, or None when it is not offered to the caller (any more)."""
        definition = await self._stores.contract_definitions.find(offer_id.definition_id)
        policy = await self._offered_policy(definition, caller) if definition else None
        if definition is None or policy is None:
            return None
        async for asset in self._assets(definition, offer_id.asset_id):
            return ContractOffer(id=offer_id, asset=asset, policy=policy)
        return None

    async def _offered_policy(self, definition: ContractDefinition, caller: Participant) -> Policy | None:
        access = await self._stores.policy_definitions.find(definition.access_policy_id)
        contract = await self._stores.policy_definitions.find(definition.contract_policy_id)
        if access is None or contract is None:
            return None
        context = PolicyContext(scope=PolicyScope.CATALOG, counterparty=caller, now=self._clock.now())
        if await self._policies.denial(access.policy, context) is not None:
            return None
        return contract.policy

    async def _definitions(self) -> AsyncIterator[ContractDefinition]:
        offset = 0
        while page := await self._stores.contract_definitions.query(QuerySpec(offset=offset, limit=_PAGE)):
            for definition in page:
                yield definition
            offset += len(page)

    async def _assets(self, definition: ContractDefinition, asset_id: str | None) -> AsyncIterator[Asset]:
        criteria = definition.assets_selector
        if asset_id is not None:
            criteria = (*criteria, Criterion(operand_left="id", operator="=", operand_right=asset_id))
        offset = 0
        while page := await self._stores.assets.query(QuerySpec(offset=offset, limit=_PAGE, criteria=criteria)):
            for asset in page:
                yield asset
            offset += len(page)
