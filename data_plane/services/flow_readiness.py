"""FlowReadiness: makes ready what a flow needs before it is PREPARED or STARTED, and what the other side gets of it.

The receiver of a push needs a place that the sender may write to; the provider of a pull, access to its source. Every
step may be repeated: it is tried while the control plane waits for its answer, and again as owed work.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from connector_spi.clock import Clock
from connector_spi.data_address import KEY_NAME, SECRET, DataAddress
from connector_spi.vault import Vault
from connector_spi.vault_access import resolved
from data_plane.domain.data_flow import PROVIDER_ROLES, DataFlow, DataFlowRole
from data_plane.domain.data_flow_state_machine import DataFlowEvent, fire
from data_plane.ports.access_granter import AccessGranter
from data_plane.ports.destination_preparer import DestinationPreparer
from data_plane.services.credential_intake import vault_alias
from data_plane.services.flow_addresses import CONSUMER_PROCESS_ID, TRANSFER_NONCE
from data_plane.services.inbox_grants import InboxGrants, goes_through_inbox
from data_plane.services.profile_registry import ProfileRegistry, address_on_wire
from data_plane.services.registry import FactoryRegistry

_ALIAS_PURPOSE: Mapping[DataFlowRole, str] = {
    DataFlowRole.RECEIVER: "prepared",
    DataFlowRole.FETCHER: "prepared",
    DataFlowRole.GRANTER: "issued",
}
"""Roles for which something is made ready, and what its credential is called in the vault."""


@dataclass(frozen=True, slots=True)
class ReadyFlow:
    """A flow that lacks nothing any more, and the secrets that go to the vault for it."""

    flow: DataFlow
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


def alias_of_readiness(flow_id: str, role: DataFlowRole) -> str | None:
    """Vault alias of what is made for a flow in this role; None when nothing is."""
    purpose = _ALIAS_PURPOSE.get(role)
    return None if purpose is None else vault_alias(flow_id, purpose)


def alias_of_issued(flow_id: str) -> str:
    """Vault alias of what opens the public address of a flow."""
    return vault_alias(flow_id, "issued")


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowReadiness:
    """One for the process; holds nothing of any one flow."""

    profiles: ProfileRegistry
    preparers: FactoryRegistry[DestinationPreparer]
    granters: FactoryRegistry[AccessGranter]
    inboxes: InboxGrants
    vault: Vault
    clock: Clock

    async def ready(self, flow: DataFlow) -> ReadyFlow:
        """The flow as PREPARED or STARTED.

        Raises:
            InvalidInputError, UnsupportedAddressTypeError: the flow's addresses cannot be served.
            PermanentError, TransientError: storage or vault refused or did not answer.
        """
        made = await self.made(flow)
        event = DataFlowEvent.START if flow.role in PROVIDER_ROLES else DataFlowEvent.PREPARE
        return ReadyFlow(fire(made.flow, event, at=self.clock.now()), made.secrets)

    async def made(self, flow: DataFlow) -> ReadyFlow:
        """The flow, in its state, with a fresh credential for the other side; nothing where none is given.

        Raises:
            As for `ready`.
        """
        alias = alias_of_readiness(flow.id, flow.role)
        if alias is None:
            return ReadyFlow(flow)
        if flow.role is DataFlowRole.GRANTER:
            return await self._granted(flow, alias)
        if self._is_inbox(flow):
            return self._with_inbox(await self._with_place(flow, alias))
        return await self._with_place(flow, alias)

    def late(self, flow: DataFlow) -> DataFlow:
        """The flow as PREPARING or STARTING."""
        event = DataFlowEvent.START_LATER if flow.role in PROVIDER_ROLES else DataFlowEvent.PREPARE_LATER
        return fire(flow, event, at=self.clock.now())

    async def issued_on_wire(self, flow: DataFlow) -> dict[str, Any] | None:
        """The address that the other side gets, with its secrets; None when it gets none (any more).

        Raises:
            SecretNotFoundError, VaultForbiddenError, VaultUnavailableError: the secrets could not be read.
        """
        issues = flow.role in {DataFlowRole.RECEIVER, DataFlowRole.GRANTER}
        if not issues or flow.is_final:
            return None
        alias = alias_of_issued(flow.id) if flow.issued is not None else alias_of_readiness(flow.id, flow.role)
        secret = await resolved(self.vault, alias or "", purpose=f"address of data flow {flow.id} for the other side")
        return address_on_wire(self.profiles.of(flow.profile), _with_secrets(flow, secret))

    async def release(self, flow: DataFlow) -> None:
        """Give back the place that was made for the flow; what was delivered stays.

        Raises:
            PermanentError, TransientError: storage or vault refused or did not answer.
        """
        if self._needs_no_place(flow):
            return
        # Where our own sink writes, the alias is that of the sink's credential; the account's key has its usual one.
        own = flow.destination.get(KEY_NAME) == alias_of_readiness(flow.id, flow.role)
        address = flow.destination.without(KEY_NAME) if own else flow.destination
        await self.preparers.of(address.type).release(flow.id, address, delivered=flow.delivered)

    async def end_access(self, flow: DataFlow) -> None:
        """End what the provider of a pull gave.

        Raises:
            As for `release`.
        """
        await self.granters.of(self.profiles.of(flow.profile).address_type).end(flow)

    def gives_place_back(self, flow: DataFlow) -> bool:
        """Whether `release` deletes the place of a flow to which nothing was delivered."""
        return not self._needs_no_place(flow)

    def _needs_no_place(self, flow: DataFlow) -> bool:
        """Whether our own sink writes where nothing has to be made before, such as in a folder."""
        return self._writes_itself(flow) and flow.destination.type not in self.preparers.types

    def _writes_itself(self, flow: DataFlow) -> bool:
        return flow.role is DataFlowRole.FETCHER or self._is_inbox(flow)

    def _is_inbox(self, flow: DataFlow) -> bool:
        is_receiver = flow.role is DataFlowRole.RECEIVER
        return is_receiver and goes_through_inbox(self.profiles.of(flow.profile), flow.destination)

    async def _with_place(self, flow: DataFlow, alias: str) -> ReadyFlow:
        if self._needs_no_place(flow):
            return ReadyFlow(flow)
        wish = flow.destination
        if wish.get(KEY_NAME) == alias:
            wish = wish.without(KEY_NAME)
        prepared = await self.preparers.of(wish.type).prepare(flow.id, wish)
        address = prepared.address
        if self._writes_itself(flow):
            # Our own sink opens the place with the same credential that a foreign sender would get.
            address = address.with_properties(**{KEY_NAME: alias})
        return ReadyFlow(replace(flow, destination=address), {alias: prepared.secret})

    def _with_inbox(self, placed: ReadyFlow) -> ReadyFlow:
        """The flow with its public address; one that has it keeps it, and its token."""
        if placed.flow.access is not None:
            return placed
        granted = self.inboxes.grant(placed.flow)
        issued = replace(placed.flow, issued=granted.address, access=granted.access)
        secret = json.dumps(dict(granted.secrets))
        return ReadyFlow(issued, {**placed.secrets, alias_of_issued(issued.id): secret})

    async def _granted(self, flow: DataFlow, alias: str) -> ReadyFlow:
        granted = await self.granters.of(self.profiles.of(flow.profile).address_type).grant(flow)
        issued = replace(flow, issued=granted.address, access=granted.access)
        return ReadyFlow(issued, {alias: json.dumps(dict(granted.secrets))})


def _with_secrets(flow: DataFlow, secret: str) -> DataAddress:
    if flow.issued is not None:
        return flow.issued.with_properties(**json.loads(secret))
    return flow.destination.without(KEY_NAME).with_properties(
        **{SECRET: secret, TRANSFER_NONCE: flow.nonce, CONSUMER_PROCESS_ID: flow.id}
    )
