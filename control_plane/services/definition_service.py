"""What an operator defines: assets, policy definitions, contract definitions."""

from connector_spi.errors import ConflictError, InvalidInputError, NotFoundError
from control_plane.domain.asset import Asset
from control_plane.domain.contract_definition import ContractDefinition
from control_plane.domain.policy import PolicyDefinition
from control_plane.domain.query import Criterion, QuerySpec
from control_plane.ports.stores import Definition, DefinitionStore, Stores
from control_plane.services.policy_engine import PolicyEngine


class DefinitionService:
    """Create, read, replace and delete definitions, keeping them consistent with each other."""

    def __init__(self, stores: Stores, policies: PolicyEngine) -> None:
        self._stores = stores
        self._policies = policies

    async def create_asset(self, asset: Asset) -> None:
        """Store an asset.

        Raises:
            InvalidInputError: a property is both public and private.
            ConflictError: the id exists already.
        """
        _check_asset(asset)
        await self._stores.assets.create(asset)

    async def replace_asset(self, asset: Asset) -> None:
        """Replace an asset.

        Raises:
            InvalidInputError: a property is both public and private.
            NotFoundError: there is none with this id.
        """
        _check_asset(asset)
        await self._stores.assets.replace(asset)

    async def get_asset(self, asset_id: str) -> Asset:
        """The asset.

        Raises:
            NotFoundError: there is none.
        """
        return await _get(self._stores.assets, "Asset", asset_id)

    async def query_assets(self, query: QuerySpec) -> list[Asset]:
        """One page of assets."""
        return await self._stores.assets.query(query)

    async def delete_asset(self, asset_id: str) -> None:
        """Delete an asset.

        Raises:
            NotFoundError: there is none.
            ConflictError: an agreement is about it.
        """
        of_asset = QuerySpec(
            limit=1, criteria=(Criterion(operand_left="assetId", operator="=", operand_right=asset_id),)
        )
        if await self._stores.contract_negotiations.query_agreements(of_asset):
            raise ConflictError(f"Asset {asset_id!r} is the subject of an agreement and cannot be deleted.")
        await self._stores.assets.delete(asset_id)

    async def create_policy(self, definition: PolicyDefinition) -> None:
        """Store a policy definition.

        Raises:
            InvalidInputError: the policy holds a rule that this connector cannot evaluate.
            ConflictError: the id exists already.
        """
        self._policies.check_understood(definition.policy)
        await self._stores.policy_definitions.create(definition)

    async def replace_policy(self, definition: PolicyDefinition) -> None:
        """Replace a policy definition.

        Raises:
            InvalidInputError: the policy holds a rule that this connector cannot evaluate.
            NotFoundError: there is none with this id.
        """
        self._policies.check_understood(definition.policy)
        await self._stores.policy_definitions.replace(definition)

    async def policy_problems(self, definition_id: str) -> list[str]:
        """Why the stored policy cannot be evaluated (any more); empty when it can.

        Raises:
            NotFoundError: there is none.
        """
        definition = await self.get_policy(definition_id)
        try:
            self._policies.check_understood(definition.policy)
        except InvalidInputError as error:
            return [error.message]
        return []

    async def get_policy(self, definition_id: str) -> PolicyDefinition:
        """The policy definition.

        Raises:
            NotFoundError: there is none.
        """
        return await _get(self._stores.policy_definitions, "PolicyDefinition", definition_id)

    async def query_policies(self, query: QuerySpec) -> list[PolicyDefinition]:
        """One page of policy definitions."""
        return await self._stores.policy_definitions.query(query)

    async def delete_policy(self, definition_id: str) -> None:
        """Delete a policy definition.

        Raises:
            NotFoundError: there is none.
            ConflictError: a contract definition uses it.
        """
        for member in ("accessPolicyId", "contractPolicyId"):
            uses = Criterion(operand_left=member, operator="=", operand_right=definition_id)
            if await self._stores.contract_definitions.query(QuerySpec(limit=1, criteria=(uses,))):
                raise ConflictError(f"PolicyDefinition {definition_id!r} is used by a contract definition.")
        await self._stores.policy_definitions.delete(definition_id)

    async def create_contract_definition(self, definition: ContractDefinition) -> None:
        """Store a contract definition.

        Raises:
            InvalidInputError: it names a policy that does not exist, or its selector cannot be evaluated.
            ConflictError: the id exists already.
        """
        await self._check_policies(definition)
        await self._check_selector(definition)
        await self._stores.contract_definitions.create(definition)

    async def replace_contract_definition(self, definition: ContractDefinition) -> None:
        """Replace a contract definition.

        Raises:
            InvalidInputError: it names a policy that does not exist, or its selector cannot be evaluated.
            NotFoundError: there is none with this id.
        """
        await self._check_policies(definition)
        await self._check_selector(definition)
        await self._stores.contract_definitions.replace(definition)

    async def get_contract_definition(self, definition_id: str) -> ContractDefinition:
        """The contract definition.

        Raises:
            NotFoundError: there is none.
        """
        return await _get(self._stores.contract_definitions, "ContractDefinition", definition_id)

    async def query_contract_definitions(self, query: QuerySpec) -> list[ContractDefinition]:
        """One page of contract definitions."""
        return await self._stores.contract_definitions.query(query)

    async def delete_contract_definition(self, definition_id: str) -> None:
        """Delete a contract definition.

        Raises:
            NotFoundError: there is none.
        """
        await self._stores.contract_definitions.delete(definition_id)

    async def _check_policies(self, definition: ContractDefinition) -> None:
        named = {"accessPolicyId": definition.access_policy_id, "contractPolicyId": definition.contract_policy_id}
        for field, policy_id in named.items():
            if await self._stores.policy_definitions.find(policy_id) is None:
                raise InvalidInputError(
                    field=field, value=policy_id, problem="names no policy definition", remedy="Create it first."
                )

    async def _check_selector(self, definition: ContractDefinition) -> None:
        """By trying it: in a catalog, what cannot be evaluated would select nothing, and say so to nobody."""
        await self._stores.assets.query(QuerySpec(limit=1, criteria=definition.assets_selector))


def _check_asset(asset: Asset) -> None:
    both = sorted(set(asset.properties) & set(asset.private_properties))
    if both:
        raise InvalidInputError(field="privateProperties", value=both, problem="repeats public properties")


async def _get(store: DefinitionStore[Definition], kind: str, definition_id: str) -> Definition:
    found = await store.find(definition_id)
    if found is None:
        raise NotFoundError(kind=kind, object_id=definition_id)
    return found
