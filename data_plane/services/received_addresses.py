"""ReceivedAddresses: the address that the other side gave for a flow that is there, with `started` or `resume`."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from connector_spi.data_address import DataAddress, DataAddressMessage
from connector_spi.errors import InvalidInputError
from data_plane.domain.data_flow import DataFlow, DataFlowRole
from data_plane.services.credential_intake import TakenAddress, taken
from data_plane.services.flow_addresses import check_same_place, destination_of
from data_plane.services.new_flows import NewFlows
from data_plane.services.profile_registry import address_from_wire

_RENEWAL = ("refreshToken", "expiresIn")


@dataclass(frozen=True, slots=True)
class Received:
    """The flow with the address, and the secrets that go to the vault for it."""

    flow: DataFlow
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class ReceivedAddresses:
    """One for the process. Stores nothing; every error is an InvalidInputError that names the member."""

    new_flows: NewFlows

    def taken_in(self, flow: DataFlow, sent: DataAddressMessage | None) -> Received:
        """The flow with this address, as its role has use for it.

        Raises:
            InvalidInputError: the address must not be there, is missing, or is not one that the flow can use.
        """
        if flow.role in {DataFlowRole.FETCHER, DataFlowRole.HOLDER}:
            return self._of_pull(flow, sent)
        if sent is None:
            return Received(flow)
        if flow.role is not DataFlowRole.SENDER:
            raise InvalidInputError(
                field="dataAddress", value="...", problem="must be absent; of a push, the consumer gives the address"
            )
        address = address_from_wire(self.new_flows.profiles.of(flow.profile), sent)
        destination = self.new_flows.destination(flow.id, destination_of(address).address)
        check_same_place(flow.destination, destination.address)
        return _received(replace(flow, destination=destination.address), destination)

    def _of_pull(self, flow: DataFlow, sent: DataAddressMessage | None) -> Received:
        if sent is None:
            if flow.role is DataFlowRole.HOLDER or flow.source is not None:
                return Received(flow)
            raise InvalidInputError(field="dataAddress", value=None, problem="is missing; there is nothing to read at")
        profile = self.new_flows.profiles.of(flow.profile)
        address = address_from_wire(profile, sent)
        if profile.renewable:
            _check_renewable(address)
        source = taken(flow.id, address, purpose="source", tokens=True)
        if flow.role is DataFlowRole.FETCHER:
            accepted = self.new_flows.sources.of(source.address.type).accepted(source.address)
            source = replace(source, address=accepted)
        return _received(replace(flow, source=source.address), source)


def _received(flow: DataFlow, address: TakenAddress) -> Received:
    aliases = tuple(sorted({*flow.vault_aliases, *address.secrets}))
    return Received(replace(flow, vault_aliases=aliases), address.secrets)


def _check_renewable(address: DataAddress) -> None:
    for name in _RENEWAL:
        if not address.get(name):
            raise InvalidInputError(
                field=f"dataAddress.{name}", value=None, problem="is missing; addresses of this profile are renewable"
            )
