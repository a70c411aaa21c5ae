"""NewFlows: reads `prepare` and `start` messages as flows. Addresses are checked; nothing is stored or called."""

import secrets as randomness
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from connector_spi.clock import Clock
from connector_spi.data_address import KEY_NAME, DataAddress
from connector_spi.errors import InvalidInputError
from connector_spi.signaling import DataFlowBaseMessage, DataFlowPrepareMessage, DataFlowStartMessage
from data_plane.domain.data_flow import NO_ADDRESS, DataFlow, DataFlowRole
from data_plane.domain.transfer_profile import Direction, TransferProfile
from data_plane.ports.access_granter import AccessGranter
from data_plane.ports.data_sink import DataSinkFactory
from data_plane.ports.data_source import DataSourceFactory
from data_plane.ports.dataset_registry import DatasetRegistry
from data_plane.ports.destination_preparer import DestinationPreparer
from data_plane.services.credential_intake import TakenAddress, taken
from data_plane.services.flow_addresses import address_in_metadata, destination_of
from data_plane.services.flow_readiness import alias_of_issued, alias_of_readiness
from data_plane.services.inbox_grants import InboxGrants, goes_through_inbox
from data_plane.services.profile_registry import HTTP_DATA, ProfileRegistry, address_from_wire, check_type
from data_plane.services.registry import FactoryRegistry


@dataclass(frozen=True, slots=True)
class NewFlow:
    """A flow in the pseudo state INITIALIZED, and the secrets that its message brought, by vault alias."""

    flow: DataFlow
    profile: TransferProfile
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFlows:
    """Errors of its methods: InvalidInputError, UnsupportedAddressTypeError; name the member that is wrong."""

    profiles: ProfileRegistry
    sources: FactoryRegistry[DataSourceFactory]
    sinks: FactoryRegistry[DataSinkFactory]
    preparers: FactoryRegistry[DestinationPreparer]
    granters: FactoryRegistry[AccessGranter]
    inboxes: InboxGrants
    datasets: DatasetRegistry
    clock: Clock
    accepted_callback: Callable[[str | None], str]
    """The call-back base to keep for a flow: the sent address, when the operator allows it, or nothing."""

    async def of_prepare(self, message: DataFlowPrepareMessage, caller: str) -> NewFlow:
        """The consumer's side: it receives a push, or copies or holds what a pull will give."""
        profile = self.profiles.of(message.profile)
        wish = await self._wish(message)
        if profile.direction is Direction.PUSH:
            role, wish = DataFlowRole.RECEIVER, wish or DataAddress(profile.address_type)
        else:
            role, wish = (DataFlowRole.FETCHER, wish) if wish else (DataFlowRole.HOLDER, NO_ADDRESS)
        if role is DataFlowRole.RECEIVER and goes_through_inbox(profile, wish):
            return self._inbox(message, profile, wish, caller)
        if role is DataFlowRole.RECEIVER:
            self._check_prepared(wish)
        if role is DataFlowRole.FETCHER:
            wish = self._own_place(wish.without_secrets())
        flow = self._flow(message, role, wish.without_secrets(), caller)
        return NewFlow(replace(flow, nonce=randomness.token_urlsafe(24)), profile)

    def _inbox(
        self, message: DataFlowPrepareMessage, profile: TransferProfile, wish: DataAddress, caller: str
    ) -> NewFlow:
        """The sender will write to our public endpoint, and we where the message says."""
        self.inboxes.check()
        place = self._own_place(wish.without_secrets())
        flow = self._flow(message, DataFlowRole.RECEIVER, place, caller)
        aliases = (*flow.vault_aliases, alias_of_issued(flow.id))
        return NewFlow(replace(flow, nonce=randomness.token_urlsafe(24), vault_aliases=aliases), profile)

    def _check_prepared(self, wish: DataAddress) -> None:
        if wish.type == HTTP_DATA and HTTP_DATA not in self.preparers.types:
            raise InvalidInputError(
                field="metadata.destination",
                value=None,
                problem="does not say where the objects that arrive over HTTP are to be stored",
                remedy="Name a destination of another type, or configure one for the dataset.",
            )
        self.preparers.of(wish.type)

    async def of_start(self, message: DataFlowStartMessage, caller: str) -> NewFlow:
        """The provider's side: it sends a push, or gives access for a pull."""
        profile = self.profiles.of(message.profile)
        if profile.direction is Direction.PUSH:
            return await self._sender(message, profile, caller)
        if message.data_address is not None:
            raise InvalidInputError(
                field="dataAddress", value="...", problem="must be absent; of a pull, the provider gives the address"
            )
        source = await self._source(message)
        self.granters.of(profile.address_type).check(source.address)
        flow = self._flow(message, DataFlowRole.GRANTER, NO_ADDRESS, caller)
        aliases = (*flow.vault_aliases, *source.secrets)
        return NewFlow(replace(flow, source=source.address, vault_aliases=aliases), profile, source.secrets)

    async def _sender(self, message: DataFlowStartMessage, profile: TransferProfile, caller: str) -> NewFlow:
        address = message.data_address
        sent = destination_of(None if address is None else address_from_wire(profile, address))
        check_type(profile, sent.address)
        source = await self._source(message)
        destination = self.destination(message.process_id, sent.address)
        secrets = {**source.secrets, **destination.secrets}
        flow = self._flow(message, DataFlowRole.SENDER, destination.address, caller)
        sender = replace(
            flow,
            source=source.address,
            marker_process_id=sent.consumer_process_id or message.process_id,
            nonce=sent.nonce,
            vault_aliases=tuple(secrets),
        )
        return NewFlow(sender, profile, secrets)

    def source(self, flow_id: str, sent: DataAddress) -> TakenAddress:
        """A source address as it is kept.

        Raises:
            InvalidInputError, UnsupportedAddressTypeError: it is not one.
        """
        # The credential is looked at first: a secret in a wrong place is refused, not dropped without a word.
        source = taken(flow_id, sent, purpose="source")
        return replace(source, address=self.sources.of(sent.type).accepted(source.address))

    def destination(self, flow_id: str, sent: DataAddress) -> TakenAddress:
        """A destination address as it is kept.

        Raises:
            InvalidInputError, UnsupportedAddressTypeError: it is not one.
        """
        destination = taken(flow_id, sent, purpose="destination", tokens=sent.type == HTTP_DATA)
        return replace(destination, address=self.sinks.of(sent.type).accepted(destination.address))

    async def _wish(self, message: DataFlowPrepareMessage) -> DataAddress | None:
        """`metadata.destination`, else where the dataset is received."""
        if "destination" in (message.metadata or {}):
            return address_in_metadata(message.metadata, "destination")
        return await self.datasets.destination_of(message.dataset_id)

    def _own_place(self, wish: DataAddress) -> DataAddress:
        """Where our own sink will write; a place that is made first is checked when it is made."""
        sink = self.sinks.of(wish.type)
        return _with_usual_key(wish) if wish.type in self.preparers.types else sink.accepted(wish)

    async def known_source(self, flow: DataFlow) -> TakenAddress | None:
        """Where a pull is read whose provider gave no address: known beforehand, or not at all.

        Raises:
            InvalidInputError, UnsupportedAddressTypeError: what is known is no address of a source.
        """
        known = await self.datasets.source_of(flow.dataset_id)
        return None if known is None else self.source(flow.id, known)

    async def _source(self, message: DataFlowStartMessage) -> TakenAddress:
        """`metadata.source`, else the dataset's own address."""
        known = None
        if "source" not in (message.metadata or {}):
            known = await self.datasets.source_of(message.dataset_id)
        return self.source(message.process_id, known or address_in_metadata(message.metadata, "source"))

    def _flow(
        self, message: DataFlowBaseMessage, role: DataFlowRole, destination: DataAddress, caller: str
    ) -> DataFlow:
        alias = alias_of_readiness(message.process_id, role)
        flow = DataFlow.of_message(
            message,
            role=role,
            destination=destination,
            callback_base=self.accepted_callback(message.callback_address),
            control_plane_id=caller,
            at=self.clock.now(),
        )
        return replace(flow, vault_aliases=(alias,) if alias else ())


def _with_usual_key(wish: DataAddress) -> DataAddress:
    if KEY_NAME in wish.properties:
        raise InvalidInputError(
            field=f"metadata.destination.{KEY_NAME}",
            value=wish.get(KEY_NAME),
            problem="cannot be chosen where this data plane writes by itself",
            remedy="The account's key is read under its usual alias.",
        )
    return wish
