"""ReceivedAddresses: the address that the other side gave for a flow that is there, with `started` or `resume`."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from connector_spi.data_address import AZURE_STORAGE, KEY_NAME, DataAddress, DataAddressMessage
from connector_spi.errors import InvalidInputError
from data_plane.domain.data_flow import DataFlow, DataFlowRole
from data_plane.services.credential_intake import TakenAddress, taken
from data_plane.services.flow_addresses import check_same_place, destination_of
from data_plane.services.new_flows import NewFlows
from data_plane.services.profile_registry import HTTP_DATA, address_from_wire, check_type

AZURE_STORAGE_GRANTED: Final = "AzureStorageGranted"
"""Our own name for blobs that somebody else has opened to us by a signature."""

_VOLATILE: Final = ("authorizationKeyName", "refreshTokenKeyName", "refreshEndpoint", "expiresIn", "expiresAt")
_RENEWAL: Final = ("refreshToken", "expiresIn")


@dataclass(frozen=True, slots=True)
class Received:
    """The flow with the address, and the secrets that go to the vault for it."""

    flow: DataFlow
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class ReceivedAddresses:
    """One for the process. Stores nothing; every error is an InvalidInputError that names the member."""

    new_flows: NewFlows

    async def taken_in(self, flow: DataFlow, sent: DataAddressMessage | None) -> Received:
        """The flow with this address, as its role has use for it.

        Raises:
            InvalidInputError: the address must not be there, is missing, or is not one that the flow can use.
        """
        if flow.role in {DataFlowRole.FETCHER, DataFlowRole.HOLDER}:
            return await self._of_pull(flow, sent)
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

    async def _of_pull(self, flow: DataFlow, sent: DataAddressMessage | None) -> Received:
        if sent is None:
            if flow.role is DataFlowRole.HOLDER or flow.source is not None:
                return Received(flow)
            if (known := await self.new_flows.known_source(flow)) is not None:
                return _received(replace(flow, source=known.address), known)
            raise InvalidInputError(field="dataAddress", value=None, problem="is missing; there is nothing to read at")
        profile = self.new_flows.profiles.of(flow.profile)
        address = address_from_wire(profile, sent)
        _check_aliases(flow.id, address)
        if flow.role is DataFlowRole.FETCHER:
            check_type(profile, address)
        if profile.renewable:
            _check_renewable(address)
        source = taken(flow.id, address, purpose="source", tokens=True)
        if flow.role is DataFlowRole.FETCHER:
            source = _readable(source)
            accepted = self.new_flows.sources.of(source.address.type).accepted(source.address)
            source = replace(source, address=accepted)
            if flow.source is not None:
                # A copy that has begun goes on where it was; only what opens the place may be another.
                check_same_place(flow.source.without(*_VOLATILE), accepted.without(*_VOLATILE))
        return _received(replace(flow, source=source.address), source)


def _readable(source: TakenAddress) -> TakenAddress:
    """The address as our own sources read it: by the credential that was given, not by one of ours."""
    address = source.address
    if address.type == AZURE_STORAGE:
        return replace(source, address=DataAddress(AZURE_STORAGE_GRANTED, address.properties))
    alias = address.get("authorizationKeyName")
    if address.type != HTTP_DATA or not alias:
        return source
    return replace(source, address=address.with_properties(**{KEY_NAME: alias}))


def _received(flow: DataFlow, address: TakenAddress) -> Received:
    aliases = tuple(sorted({*flow.vault_aliases, *address.secrets}))
    return Received(replace(flow, vault_aliases=aliases), address.secrets)


def _check_renewable(address: DataAddress) -> None:
    for name in _RENEWAL:
        if not address.get(name):
            raise InvalidInputError(
                field=f"dataAddress.{name}", value=None, problem="is missing; addresses of this profile are renewable"
            )


def _check_aliases(flow_id: str, address: DataAddress) -> None:
    """The counterparty chose where the credential is sent to, so it must not choose which of our secrets that is."""
    own = f"transfer-process-{flow_id}-data-address"
    for name in (KEY_NAME, "secretName", "authorizationKeyName", "refreshTokenKeyName"):
        if address.get(name) not in {"", own}:
            raise InvalidInputError(
                field=f"dataAddress.{name}",
                value=address.get(name),
                problem="is not the alias of this flow's own secret",
                remedy="Send the credential itself; it goes to the vault.",
            )
