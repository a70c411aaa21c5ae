"""A control plane of real services over memory, with a scripted counterparty and a provisioner that only plans."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from connector_spi.errors import ConnectorError, InvalidInputError
from control_plane.adapters.memory_stores import memory_stores
from control_plane.domain.contract_agreement import ContractAgreement
from control_plane.domain.contract_negotiation import ContractNegotiation, NegotiationState, NegotiationType
from control_plane.domain.participant import Counterparty
from control_plane.domain.policy import Policy
from control_plane.domain.query import QuerySpec
from control_plane.domain.transfer_process import ProvisionedResource, TransferProcess
from control_plane.ports.dataspace_client import CatalogAnswer
from control_plane.ports.provisioner import Provisioned
from control_plane.ports.stores import Stores
from control_plane.services.catalog_service import CatalogService
from control_plane.services.definition_service import DefinitionService
from control_plane.services.endpoint_data_references import EndpointDataReferenceService
from control_plane.services.negotiation_service import NegotiationService
from control_plane.services.policy_engine import PolicyEngine
from control_plane.services.policy_functions import built_in
from control_plane.services.transfer_addresses import TransferAddresses
from control_plane.services.transfer_process_service import TransferProcessService
from tests.fakes import FakeDataPlane
from vault_adapters.memory import InMemoryVault

NOW = datetime(2026, 3, 1, 12, 0, 0, 123000, tzinfo=UTC)
NOW_MS = 1772366400123


class FixedClock:
    """Always the same moment."""

    def now(self) -> datetime:
        return NOW


class ScriptedCatalog(CatalogService):
    """A counterparty that answers what the test says, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answer: dict[str, Any] | ConnectorError = {"@type": "Catalog", "dataset": []}
        self.asked: list[tuple[Counterparty, object]] = []
        self.next_page: str | None = None

    async def request_catalog(
        self, counterparty: Counterparty, query: QuerySpec | None = None, continuation: str | None = None
    ) -> CatalogAnswer:
        return CatalogAnswer(self._answered(counterparty, (query, continuation)), size=0, next=self.next_page)

    async def request_dataset(self, counterparty: Counterparty, dataset_id: str) -> dict[str, Any]:
        return self._answered(counterparty, dataset_id)

    def _answered(self, counterparty: Counterparty, about: object) -> dict[str, Any]:
        self.asked.append((counterparty, about))
        if isinstance(self.answer, ConnectorError):
            raise self.answer
        return self.answer


class PlanningProvisioner:
    """Plans a container for any account whose name is plain; makes nothing."""

    def plan(self, process: TransferProcess) -> ProvisionedResource:
        account = process.data_destination.get("account")
        if not account.isalnum():
            raise InvalidInputError(field="dataDestination.account", value=account, problem="is no account name")
        return ProvisionedResource(
            account=account,
            container="made-for-it",
            folder="",
            secret_alias="alias",
            sas_expires_at=None,
        )

    async def provision(self, process: TransferProcess) -> Provisioned:
        raise AssertionError(f"nothing provisions {process.id} in these tests")

    async def renew(self, process: TransferProcess) -> Provisioned:
        raise AssertionError(f"nothing renews {process.id} in these tests")

    async def revoke(self, process: TransferProcess) -> None: ...

    async def deprovision(self, process: TransferProcess) -> None: ...


@dataclass
class ControlPlaneOfTests:
    """What the management API needs, and what the tests look into."""

    participant_id: str = "consumer"
    stores: Stores = field(default_factory=memory_stores)
    catalog: ScriptedCatalog = field(default_factory=ScriptedCatalog)
    secrets: dict[str, str] = field(default_factory=dict)
    components: dict[str, bool] = field(default_factory=lambda: {"database": True, "vault": True})

    def __post_init__(self) -> None:
        clock = FixedClock()
        self.transfers = TransferProcessService(
            participant_id=self.participant_id,
            stores=self.stores,
            provisioners={"AzureStorage": PlanningProvisioner()},
            data_flows=FakeDataPlane(),
            clock=clock,
        )
        self.addresses = TransferAddresses(InMemoryVault(self.secrets), self.stores.transfer_processes)
        self.endpoint_data_references = EndpointDataReferenceService(self.stores.transfer_processes, self.addresses)
        policies = PolicyEngine(built_in(self.stores.transfer_processes))
        self.negotiations = NegotiationService(
            participant_id=self.participant_id, stores=self.stores, policies=policies, clock=clock
        )
        self.definitions = DefinitionService(self.stores, policies)

    async def ready(self) -> dict[str, bool]:
        return self.components

    async def agreed(self, agreement_id: str = "agreement-1") -> ContractAgreement:
        """An agreement with the participant `provider` about `asset-1`, as a finalised negotiation leaves it."""
        agreement = ContractAgreement(
            id=agreement_id,
            participant_id=self.participant_id,
            provider_id="provider",
            consumer_id=self.participant_id,
            asset_id="asset-1",
            policy=Policy(permissions=({"action": "use"},)),
            signed_at=NOW,
            negotiation_id=f"negotiation-of-{agreement_id}",
        )
        negotiation = ContractNegotiation(
            id=agreement.negotiation_id,
            participant_id=self.participant_id,
            type=NegotiationType.CONSUMER,
            state=NegotiationState.FINALIZED,
            state_timestamp=NOW,
            created_at=NOW,
            updated_at=NOW,
            counter_party_id="provider",
            counter_party_address="https://provider.example/2025-1",
            protocol="dataspace-protocol-http:2025-1",
            correlation_id=f"at-provider-{agreement_id}",
            offer_id="offer",
            asset_id="asset-1",
            policy=agreement.policy,
            agreement=agreement,
        )
        await self.stores.contract_negotiations.create(negotiation, due_at=None)
        return agreement
