"""The Dataspace Protocol's receiving side over memory stores, called in this process by two counterparties."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from azure_storage.endpoints import StorageEndpoints
from connector_spi.clock import SystemClock
from connector_spi.outbound_addresses import OutboundAddressPolicy
from connector_spi.vault import Vault
from control_plane.adapters.azure_destination_policy import AzureDestinationPolicy
from control_plane.adapters.destination_policies import DestinationPolicies
from control_plane.adapters.http_destination_policy import HttpDestinationPolicy
from control_plane.adapters.memory_stores import memory_stores
from control_plane.domain.contract_definition import OfferId
from control_plane.domain.contract_negotiation import NegotiationState, NegotiationType
from control_plane.domain.inbox import InboxMessage
from control_plane.domain.participant import Counterparty
from control_plane.dsp_messages import CONTEXT
from control_plane.ports.counterparty_identity import CounterpartyIdentity
from control_plane.ports.stores import Stores
from control_plane.protocol_api.app import create_protocol_app
from control_plane.protocol_api.catalog import CatalogEndpoints
from control_plane.protocol_api.exchange import NEGOTIATION_ERROR, TRANSFER_ERROR, Exchange
from control_plane.protocol_api.negotiations import NegotiationEndpoints
from control_plane.protocol_api.transfers import TransferEndpoints
from control_plane.services.catalog_service import CatalogService
from control_plane.services.negotiation_protocol_service import NegotiationProtocolService
from control_plane.services.policy_engine import PolicyEngine
from control_plane.services.policy_functions import built_in
from control_plane.services.transfer_addresses import TransferAddresses
from control_plane.services.transfer_protocol_service import TransferProtocolService
from tests import control_plane_entities as examples
from tests.fakes import FakeCounterparty, FakeDataPlane
from tests.unit.control_plane.keys import identity
from vault_adapters.memory import InMemoryVault

US: Final = "did:web:us"
THEM: Final = "did:web:them"
OTHERS: Final = "did:web:others"
TRANSFER_TYPE: Final = "AzureStorage-PUSH"
SAS: Final = "sv=2026-01-01&sr=c&sp=cw&se=2030-01-01T00%3A00%3A00Z&sig=PLANTEDsignature%3D"
OFFER: Final = str(OfferId(definition_id="c-1", asset_id="asset-1"))
CALLBACK: Final = "https://them.example/2025-1"
ENDPOINTS: Final = StorageEndpoints("https://{account}.blob.core.windows.net")


@dataclass
class ProtocolRig:
    """We are the receiver; `http` speaks without a token, `as_them` and `as_others` with theirs."""

    stores: Stores = field(default_factory=memory_stores)
    secrets: dict[str, str] = field(default_factory=dict)
    strict_pids: bool = True
    page_size: int = 500
    vault: Vault | None = None

    def __post_init__(self) -> None:
        clock = SystemClock()
        vault = self.vault or InMemoryVault(self.secrets)
        self.data_plane = FakeDataPlane()
        outbound = OutboundAddressPolicy()
        policies = PolicyEngine(built_in(self.stores.transfer_processes))
        catalog = CatalogService(self.stores, FakeCounterparty(), policies, clock)
        negotiations = NegotiationProtocolService(
            participant_id=US,
            negotiations=self.stores.contract_negotiations,
            catalog=catalog,
            outbound=outbound,
            clock=clock,
        )
        transfers = TransferProtocolService(
            participant_id=US,
            stores=self.stores,
            vault=vault,
            addresses=TransferAddresses(vault, self.stores.transfer_processes),
            destinations=DestinationPolicies(
                {
                    "AzureStorage": AzureDestinationPolicy(ENDPOINTS),
                    "HttpData": HttpDestinationPolicy(outbound),
                }
            ),
            outbound=outbound,
            data_flows=self.data_plane,
            policies=policies,
            strict_pids=self.strict_pids,
            start_within_seconds=60,
            clock=clock,
        )
        self.exchange = Exchange(
            identity(US, knows=(THEM, OTHERS)),
            {NEGOTIATION_ERROR: negotiations.get, TRANSFER_ERROR: transfers.get},
        )
        self.app = create_protocol_app(
            CatalogEndpoints(
                self.exchange,
                catalog,
                participant_id=US,
                base_url="https://us.example/2025-1",
                transfer_types=self.data_plane.transfer_types,
                page_size=self.page_size,
            ).router(),
            NegotiationEndpoints(self.exchange, negotiations).router(),
            TransferEndpoints(self.exchange, transfers).router(),
        )

    @asynccontextmanager
    async def http(self) -> AsyncIterator[httpx.AsyncClient]:
        """A client without a token; paths are below the version's path."""
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="https://us.example/2025-1") as client:
            yield client

    async def call(
        self, method: str, path: str, *, sender: str = THEM, content: bytes | None = None, json: Any = None
    ) -> httpx.Response:
        """One call with a fresh token of the sender; every answer is checked for the planted secret."""
        header = await token(identity(sender))
        async with self.http() as client:
            answer = await client.request(method, path, content=content, json=json, headers={"Authorization": header})
        assert "PLANTED" not in answer.text
        return answer

    async def offered(self) -> None:
        """One asset under one contract definition."""
        await self.stores.assets.create(examples.asset(properties={"name": "An asset"}))
        for policy_id in ("access", "contract"):
            await self.stores.policy_definitions.create(examples.policy_definition(policy_id))
        await self.stores.contract_definitions.create(examples.contract_definition())

    async def agreed(self, agreement_id: str = "a-1", *, consumer: str = THEM, provider: str = US) -> None:
        """An agreement, as a finalised negotiation leaves it."""
        agreement = examples.agreement(
            agreement_id, provider_id=provider, consumer_id=consumer, negotiation_id=f"n-of-{agreement_id}"
        )
        negotiation = examples.negotiation(
            agreement.negotiation_id,
            type=NegotiationType.PROVIDER if provider == US else NegotiationType.CONSUMER,
            state=NegotiationState.FINALIZED,
            counter_party_id=consumer if provider == US else provider,
            correlation_id=f"correlation-{agreement_id}",
            agreement=agreement,
        )
        await self.stores.contract_negotiations.create(negotiation, due_at=None)

    async def waiting(self, process_id: str) -> tuple[InboxMessage, ...]:
        """What waits in the inbox of a transfer process that nobody works on."""
        leased = await self.stores.transfer_processes.lease_due(
            now=examples.moment(1e9), limit=100, lease_seconds=60, owner="test"
        )
        return next((found.inbox for found in leased if found.entity.id == process_id), ())


async def token(sender: CounterpartyIdentity) -> str:
    """A token of the sender for us."""
    return await sender.authorization_for(Counterparty(id=US, address="https://us.example/2025-1"))


def properties(**named: str) -> list[dict[str, str]]:
    """Endpoint properties on the wire."""
    return [{"@type": "EndpointProperty", "name": name, "value": value} for name, value in named.items()]


def transfer_request(**changes: Any) -> dict[str, Any]:
    """A TransferRequestMessage that works; a changed member with the value None is left out."""
    address = {
        "@type": "DataAddress",
        "endpointType": "AzureStorage",
        "endpointProperties": properties(
            account="consumerorg", container="for-t-1", transferNonce="nonce-1", keyName="of-the-provider", secret=SAS
        ),
    }
    body = {
        "@context": [CONTEXT],
        "@type": "TransferRequestMessage",
        "consumerPid": "consumer-pid",
        "agreementId": "a-1",
        "format": TRANSFER_TYPE,
        "callbackAddress": CALLBACK,
        "dataAddress": address,
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


def contract_request(**changes: Any) -> dict[str, Any]:
    """A ContractRequestMessage that works; a changed member with the value None is left out."""
    body = {
        "@context": [CONTEXT],
        "@type": "ContractRequestMessage",
        "consumerPid": "consumer-pid",
        "callbackAddress": CALLBACK,
        "offer": {"@type": "Offer", "@id": OFFER, "target": "asset-1", "permission": [{"action": "use"}]},
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


def told(message_type: str, consumer_pid: str, provider_pid: str, **members: Any) -> dict[str, Any]:
    """A message about a process that both sides know."""
    return {
        "@context": [CONTEXT],
        "@type": message_type,
        "consumerPid": consumer_pid,
        "providerPid": provider_pid,
        **members,
    }
