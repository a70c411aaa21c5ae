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
from data_plane.domain.data_flow import PROVIDER_ROLES, DataFlow, DataFlowRole
from data_plane.domain.data_flow_state_machine import DataFlowEvent, fire
from data_plane.ports.access_granter import AccessGranter
from data_plane.ports.destination_preparer import DestinationPreparer
from data_plane.services.credential_intake import vault_alias
from data_plane.services.flow_addresses import CONSUMER_PROCESS_ID, TRANSFER_NONCE
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


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowReadiness:
    """One for the process; holds nothing of any one flow."""

    profiles: ProfileRegistry
    preparers: FactoryRegistry[DestinationPreparer]
    granters: FactoryRegistry[AccessGranter]
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
        if self._needs_no_place(flow):
            return ReadyFlow(flow)
        prepared = await self.preparers.of(flow.destination.type).prepare(flow.id, flow.destination)
        address = prepared.address
        if flow.role is DataFlowRole.FETCHER:
            # Our own sink opens the place with the same credential that a foreign sender would get.
            address = address.with_properties(**{KEY_NAME: alias})
        return ReadyFlow(replace(flow, destination=address), {alias: prepared.secret})

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
        secret = await self.vault.resolve(alias_of_readiness(flow.id, flow.role) or "")
        return address_on_wire(self.profiles.of(flow.profile), _with_secrets(flow, secret))

    async def release(self, flow: DataFlow) -> None:
        """Give back the place that was made for the flow; what was delivered stays.

        Raises:
            PermanentError, TransientError: storage or vault refused or did not answer.
        """
        if self._needs_no_place(flow):
            return
        own = flow.role is DataFlowRole.FETCHER
        address = flow.destination.without(KEY_NAME) if own else flow.destination
        await self.preparers.of(address.type).release(flow.id, address, delivered=flow.delivered)

    async def end_access(self, flow: DataFlow) -> None:
        """End what the provider of a pull gave.

        Raises:
            As for `release`.
        """
        await self.granters.of(self.profiles.of(flow.profile).address_type).end(flow)

    def _needs_no_place(self, flow: DataFlow) -> bool:
        """Whether our own sink writes where nothing has to be made before, such as in a folder."""
        return flow.role is DataFlowRole.FETCHER and flow.destination.type not in self.preparers.types

    async def _granted(self, flow: DataFlow, alias: str) -> ReadyFlow:
        granted = await self.granters.of(self.profiles.of(flow.profile).address_type).grant(flow)
        issued = replace(flow, issued=granted.address, access=granted.access)
        return ReadyFlow(issued, {alias: json.dumps(dict(granted.secrets))})


def _with_secrets(flow: DataFlow, secret: str) -> DataAddress:
    if flow.role is DataFlowRole.GRANTER and flow.issued is not None:
        return flow.issued.with_properties(**json.loads(secret))
    return flow.destination.without(KEY_NAME).with_properties(
        **{SECRET: secret, TRANSFER_NONCE: flow.nonce, CONSUMER_PROCESS_ID: flow.id}
    )
