"""DestinationService: the receiver's `prepare`: a place for the sender to write to, and the address that opens it."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from connector_spi.clock import Clock
from connector_spi.data_address import KEY_NAME, SECRET, DataAddressMessage
from connector_spi.errors import NotFoundError
from connector_spi.signaling import DataFlowPrepareMessage
from connector_spi.vault import Vault
from data_plane.domain.data_flow import DataFlow, DataFlowRole
from data_plane.domain.data_flow_state_machine import DataFlowEvent, fire
from data_plane.domain.errors import DataFlowExistsError
from data_plane.ports.data_flow_store import Answer, DataFlowStore
from data_plane.ports.destination_preparer import DestinationPreparer
from data_plane.services.credential_intake import CredentialIntake, vault_alias
from data_plane.services.data_flow_service import status_body
from data_plane.services.flow_addresses import CONSUMER_PROCESS_ID, TRANSFER_NONCE, address_in_metadata
from data_plane.services.keyed_locks import KeyedLocks
from data_plane.services.registry import FactoryRegistry


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationService:
    """Use case of the signaling API on the receiving side."""

    store: DataFlowStore
    preparers: FactoryRegistry[DestinationPreparer]
    vault: Vault
    intake: CredentialIntake
    clock: Clock
    accepted_callback: Callable[[str | None], str]
    creating: KeyedLocks

    async def prepare(self, message: DataFlowPrepareMessage) -> Mapping[str, Any]:
        """Make the destination ready; the answer holds the address with its credential.

        The credential rests in the vault until the flow ends; neither flow nor stored answer holds it.

        Raises:
            DataFlowExistsError: the process has a flow already, from another message.
            InvalidInputError, UnsupportedAddressTypeError: the wished destination is missing or wrong.
        """
        operation = f"prepare:{message.process_id}"
        async with self.creating.holding(message.process_id):
            if answer := await self.store.find_answer(message.message_id, operation):
                return await self._with_address(answer.body, message.process_id)
            if await self.store.find(message.process_id):
                raise DataFlowExistsError(flow_id=message.process_id)
            new, secrets_of_flow = await self._new_receiver(message)
            flow = fire(new, DataFlowEvent.PREPARE, at=self.clock.now())
            body = status_body(flow)
            async with self.intake.keeping(flow.id, secrets_of_flow):
                await self.store.add(flow, Answer(message.message_id, operation, body))
        return await self._with_address(body, flow.id)

    async def _new_receiver(self, message: DataFlowPrepareMessage) -> tuple[DataFlow, Mapping[str, str]]:
        """The flow, and the secret that goes to the vault for it."""
        wish = address_in_metadata(message.metadata, "destination").without_secrets()
        prepared = await self.preparers.of(wish.type).prepare(message.process_id, wish)
        alias = vault_alias(message.process_id, "prepared")
        flow = DataFlow.of_message(
            message,
            role=DataFlowRole.RECEIVER,
            destination=prepared.address,
            callback_base=self.accepted_callback(message.callback_address),
            at=self.clock.now(),
        )
        return replace(flow, nonce=secrets.token_urlsafe(24), vault_aliases=(alias,)), {alias: prepared.secret}

    async def _with_address(self, body: Mapping[str, Any], flow_id: str) -> Mapping[str, Any]:
        flow = await self.store.find(flow_id)
        if flow is None:
            raise NotFoundError(kind="Data flow", object_id=flow_id)
        secret = await self.vault.resolve(vault_alias(flow_id, "prepared"))
        sent = flow.destination.without(KEY_NAME).with_properties(
            **{SECRET: secret, TRANSFER_NONCE: flow.nonce, CONSUMER_PROCESS_ID: flow.id}
        )
        wire = DataAddressMessage.of(sent).model_dump(mode="json", by_alias=True, exclude_none=True)
        return {**body, "dataAddress": wire}
