"""DataspaceClient: speaks the Dataspace Protocol to counterparties."""

from dataclasses import dataclass
from typing import Any, Protocol

from connector_spi.data_address import DataAddress
from connector_spi.signaling import DataFlowProgress
from control_plane.domain.contract_negotiation import ContractNegotiation
from control_plane.domain.participant import Counterparty
from control_plane.domain.query import QuerySpec
from control_plane.domain.transfer_process import TransferError, TransferProcess


@dataclass(frozen=True, slots=True)
class CatalogAnswer:
    """A page of a counterparty's catalog: its JSON as it came."""

    body: dict[str, Any]
    size: int
    """Bytes of it."""
    next: str | None = None
    """Where the next page is, if there is one: a path with a query, below the counterparty's address."""


class DataspaceClient(Protocol):
    """Sends the messages of the Dataspace Protocol 2025-1.

    A message is sent under the entity's `message_id`, so a repeated send is recognised. Every method raises

        PeerUnavailableError: no answer, 5xx, 408 or 429; the same call may work later.
        PeerRefusedError: any other 4xx, and 501.
        ForbiddenAddressError: the counterparty's address may not be called.
    """

    async def request_catalog(
        self, counterparty: Counterparty, query: QuerySpec | None = None, continuation: str | None = None
    ) -> CatalogAnswer:
        """The counterparty's catalog: what the query asks for, or the page that `next` of an earlier answer names."""
        ...

    async def request_dataset(self, counterparty: Counterparty, dataset_id: str) -> dict[str, Any]:
        """One dataset of the counterparty's catalog, its JSON as it came."""
        ...

    async def request_contract(self, negotiation: ContractNegotiation) -> str:
        """Send the ContractRequestMessage that opens the negotiation; returns the provider's process id."""
        ...

    async def send_counter_request(self, negotiation: ContractNegotiation) -> None:
        """Answer an offer by a ContractRequestMessage with the negotiation's terms."""
        ...

    async def offer_contract(self, negotiation: ContractNegotiation) -> str:
        """Send the ContractOfferMessage that opens the negotiation; returns the consumer's process id."""
        ...

    async def send_counter_offer(self, negotiation: ContractNegotiation) -> None:
        """Answer a request by a ContractOfferMessage with the negotiation's terms."""
        ...

    async def send_acceptance(self, negotiation: ContractNegotiation) -> None:
        """Send the ContractNegotiationEventMessage ACCEPTED."""
        ...

    async def send_agreement(self, negotiation: ContractNegotiation) -> None:
        """Send the ContractAgreementMessage with the negotiation's agreement."""
        ...

    async def send_verification(self, negotiation: ContractNegotiation) -> None:
        """Send the ContractAgreementVerificationMessage."""
        ...

    async def send_finalization(self, negotiation: ContractNegotiation) -> None:
        """Send the ContractNegotiationEventMessage FINALIZED."""
        ...

    async def terminate_negotiation(self, negotiation: ContractNegotiation) -> None:
        """Send the ContractNegotiationTerminationMessage with the negotiation's error code and detail."""
        ...

    async def fetch_negotiation_state(self, negotiation: ContractNegotiation) -> str:
        """Which state of the protocol the counterparty shows, such as AGREED; empty where its answer tells none."""
        ...

    async def request_transfer(self, process: TransferProcess, destination: DataAddress | None) -> str:
        """Send the TransferRequestMessage; returns the provider's process id.

        `destination`: of a push, secret included.
        """
        ...

    async def start_transfer(self, process: TransferProcess, served_at: DataAddress | None = None) -> None:
        """Send the TransferStartMessage. `served_at`: where the data of a pull is fetched, secrets included."""
        ...

    async def complete_transfer(self, process: TransferProcess) -> None:
        """Send the TransferCompletionMessage."""
        ...

    async def suspend_transfer(self, process: TransferProcess) -> None:
        """Send the TransferSuspensionMessage."""
        ...

    async def terminate_transfer(self, process: TransferProcess, error: TransferError) -> None:
        """Send the TransferTerminationMessage with code and reason."""
        ...

    async def renew_credential(self, process: TransferProcess) -> str:
        """Ask the consumer for a fresh credential for the destination (an extension of ours); the secret.

        A consumer that does not know the extension refuses with 404, 405 or 501.
        """
        ...

    async def fetch_state(self, process: TransferProcess) -> str:
        """Which state of the protocol the counterparty shows, such as STARTED; empty where it tells none."""
        ...

    async def fetch_progress(self, process: TransferProcess) -> DataFlowProgress | None:
        """How far the counterparty is, where it tells (an extension of ours in its answer to GET); else None."""
        ...
