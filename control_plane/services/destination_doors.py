"""The doors through which a consumer makes ready to receive: its own provisioner, or `prepare` of a data plane.

A process goes through one of them, chosen before anything is made: with a `data_plane_id` it is the data plane's, a
pull without one needs none, everything else is this side's own.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from connector_spi.clock import Clock
from connector_spi.data_address import SECRET, DataAddress
from connector_spi.errors import PeerRefusedError, PermanentError
from connector_spi.vault import Vault
from connector_spi.vault_access import resolved, vault_purpose
from control_plane.domain.credential_renewal import RenewalRefusedError
from control_plane.domain.placement import ACCESS, IF_EXISTS
from control_plane.domain.transfer_process import ProvisionedResource, TransferProcess, data_address_alias
from control_plane.domain.transfer_state_machine import ResourceEvent, TransferEvent, fire, fire_resource
from control_plane.ports.data_flow_controller import DataFlowController
from control_plane.ports.provisioner import Provisioner
from control_plane.services.transfer_addresses import TransferAddresses

_log = logging.getLogger(__name__)

_E = TransferEvent
_SHOWN_PROPERTIES = ("account", "container", "folderName", "blobName", "blobPrefix")
"""What a process keeps in clear of a prepared destination, for its clients."""


class DataAddressMissingError(PermanentError):
    """A data plane prepared a push, and did not say where the data goes."""

    code = "DataAddressMissing"
    cause = "a data plane prepared a push and did not say where the data goes"
    remedy = (
        'Its answer to prepare lacks dataAddress. Set `provision_with = "control-plane"` for it, or mend the data '
        "plane."
    )


@dataclass(frozen=True, slots=True)
class RenewedSecret:
    """A credential with a later end, and that end where it is known."""

    secret: str = field(repr=False)
    expires_at: datetime | None = None


class DestinationDoor(Protocol):
    """One way to make a destination ready, and to clean up. Every call may be repeated."""

    def plan(self, process: TransferProcess) -> TransferProcess:
        """Write down what will be made, before it is made."""
        ...

    async def open(self, process: TransferProcess) -> TransferProcess:
        """Make it ready, or begin to."""
        ...

    async def destination(self, process: TransferProcess) -> DataAddress | None:
        """What the provider is told, secrets included; None for a pull."""
        ...

    async def renew(self, process: TransferProcess) -> RenewedSecret:
        """Prolong the credential for what was made ready, and keep it as `open` does.

        Raises:
            RenewalRefusedError: there is nothing to renew, or whoever made it refuses.
        """
        ...

    async def revoke(self, process: TransferProcess) -> None:
        """The outcome is known: nothing may be written any more, and no secret is left."""
        ...

    async def remove(self, process: TransferProcess) -> None:
        """Remove what was made, as far as this side made it."""
        ...


class OwnDoor:
    """The control plane makes container and SAS by itself."""

    def __init__(self, provisioners: Mapping[str, Provisioner], vault: Vault, clock: Clock) -> None:
        self._provisioners = provisioners
        self._vault = vault
        self._clock = clock

    def plan(self, process: TransferProcess) -> TransferProcess:
        """The provisioner's plan."""
        planned = self._provisioner(process).plan(process)
        return replace(process, provisioned=planned, secret_alias=planned.secret_alias)

    async def open(self, process: TransferProcess) -> TransferProcess:
        """Make the container and the write-only SAS; the SAS goes to the vault."""
        made = await self._provisioner(process).provision(process)
        _log.info(
            "destination provisioned", extra={"account": made.resource.account, "container": made.resource.container}
        )
        with vault_purpose("provision the destination"):
            await self._vault.store(made.resource.secret_alias, made.secret)
        _log.info("credential stored in the vault", extra={"alias": made.resource.secret_alias})
        process = replace(process, provisioned=made.resource, data_destination=_shown_to_client(process, made.resource))
        return fire(process, _E.FINISH_PROVISIONING, at=self._clock.now())

    async def destination(self, process: TransferProcess) -> DataAddress | None:
        """The container and its SAS."""
        secret = await resolved(self._vault, process.secret_alias or "", purpose="tell the provider the destination")
        told = process.data_destination.without("keyName", ACCESS, IF_EXISTS).with_properties(**{SECRET: secret})
        return told.with_properties(container=process.provisioned.container) if process.provisioned else told

    async def renew(self, process: TransferProcess) -> RenewedSecret:
        """Mint anew for the same container."""
        if process.provisioned is None:
            raise RenewalRefusedError(f"Transfer {process.id!r} has no destination of this side's yet.")
        made = await self._provisioner(process).renew(process)
        with vault_purpose(f"renewed destination of transfer process {process.id}"):
            await self._vault.store(made.resource.secret_alias, made.secret)
        return RenewedSecret(made.secret, made.resource.sas_expires_at)

    async def revoke(self, process: TransferProcess) -> None:
        """Forget the SAS, then make it worthless."""
        # The vault first: a storage account that does not answer must not keep the secret alive here.
        if process.secret_alias is not None:
            with vault_purpose(f"clean up after transfer process {process.id}"):
                await self._vault.delete(process.secret_alias)
        if process.provisioned is not None:
            with _nothing_made_is_nothing_left(process):
                await self._provisioner(process).revoke(process)

    async def remove(self, process: TransferProcess) -> None:
        """Delete the container that was made."""
        if process.secret_alias is not None:
            await self.revoke(process)
        if process.provisioned is not None:
            with _nothing_made_is_nothing_left(process):
                await self._provisioner(process).deprovision(process)

    def _provisioner(self, process: TransferProcess) -> Provisioner:
        return self._provisioners[process.data_destination.type]


class DataPlaneDoor:
    """A data plane prepares; what it makes, it also removes. The address it answers with rests in the vault."""

    def __init__(self, data_flows: DataFlowController, addresses: TransferAddresses, clock: Clock) -> None:
        self._data_flows = data_flows
        self._addresses = addresses
        self._clock = clock

    def plan(self, process: TransferProcess) -> TransferProcess:
        """Only where its address will rest."""
        return replace(process, secret_alias=data_address_alias(process.id))

    async def open(self, process: TransferProcess) -> TransferProcess:
        """Tell the data plane to prepare."""
        answer = await self._data_flows.prepare(process)
        process = replace(process, data_flow_id=answer.data_flow_id)
        if answer.pending:
            return fire(process, _E.AWAIT_PREPARATION, at=self._clock.now())
        if not process.is_pull:
            if answer.data_address is None:
                raise DataAddressMissingError(
                    f"The data plane {process.data_plane_id!r} has prepared and named no data address."
                )
            await self._addresses.keep(process, answer.data_address)
            process = replace(process, data_destination=shown_part(answer.data_address))
        return fire(process, _E.FINISH_PROVISIONING, at=self._clock.now())

    async def destination(self, process: TransferProcess) -> DataAddress | None:
        """The address that the data plane prepared."""
        if process.is_pull:
            return None
        address = await self._addresses.of(process)
        if address is None:
            raise DataAddressMissingError(f"The data address of transfer {process.id} is not in the vault any more.")
        return address

    async def renew(self, process: TransferProcess) -> RenewedSecret:
        """Ask the data plane, which keeps the right to end what it gives."""
        try:
            address = (await self._data_flows.renew_credential(process)).data_address
        except PeerRefusedError as error:
            _log.warning(
                "our data plane does not renew a destination's credential",
                extra={"transfer_process_id": process.id, "reason": error.message},
            )
            raise RenewalRefusedError("The data plane of the destination does not renew its credential.") from error
        if address is None or not address.get(SECRET):
            raise RenewalRefusedError("The data plane of the destination named no credential.")
        await self._addresses.keep(process, address)
        return RenewedSecret(address.get(SECRET))

    async def revoke(self, process: TransferProcess) -> None:
        """Forget the address; the data plane was told of the end."""
        await self._addresses.forget(process)

    async def remove(self, process: TransferProcess) -> None:
        """Nothing else is this side's."""
        await self._addresses.forget(process)


class OpenDoor:
    """A pull without a data plane of the consumer's: its client fetches the data by itself."""

    def __init__(self, addresses: TransferAddresses, clock: Clock) -> None:
        self._addresses = addresses
        self._clock = clock

    def plan(self, process: TransferProcess) -> TransferProcess:
        """Only where the provider's address will rest."""
        return replace(process, secret_alias=data_address_alias(process.id))

    async def open(self, process: TransferProcess) -> TransferProcess:
        """There is nothing to make."""
        return fire(process, _E.FINISH_PROVISIONING, at=self._clock.now())

    async def destination(self, process: TransferProcess) -> DataAddress | None:
        """A pull has none."""
        return None

    async def renew(self, process: TransferProcess) -> RenewedSecret:
        """There is nothing of this side's."""
        raise RenewalRefusedError(f"Transfer {process.id!r} is a pull, whose credential is the provider's.")

    async def revoke(self, process: TransferProcess) -> None:
        """Forget the provider's address."""
        await self._addresses.forget(process)

    async def remove(self, process: TransferProcess) -> None:
        """Forget the provider's address."""
        await self._addresses.forget(process)


class DestinationDoors:
    """Chooses the door of a process, once, and finds it again."""

    def __init__(
        self,
        *,
        provisioners: Mapping[str, Provisioner],
        data_flows: DataFlowController,
        addresses: TransferAddresses,
        vault: Vault,
        clock: Clock,
    ) -> None:
        self._data_flows = data_flows
        self._own = OwnDoor(provisioners, vault, clock)
        self._data_plane = DataPlaneDoor(data_flows, addresses, clock)
        self._open = OpenDoor(addresses, clock)
        self._clock = clock

    async def plan(self, process: TransferProcess) -> TransferProcess:
        """Choose the door, and write down what will be made, so that a crash leaks nothing."""
        data_plane_id = await self._data_flows.preparing_data_plane_for(process.transfer_type)
        process = replace(process, data_plane_id=data_plane_id)
        process = self.of(process).plan(process)
        process = fire_resource(process, ResourceEvent.HOLD, at=self._clock.now())
        return fire(process, _E.PROVISION, at=self._clock.now())

    def of(self, process: TransferProcess) -> DestinationDoor:
        """The door that the process went through, or would."""
        if process.data_plane_id is not None:
            return self._data_plane
        return self._open if process.is_pull else self._own


def shown_part(address: DataAddress) -> DataAddress:
    """What of a destination may be kept and shown in clear, whatever its type."""
    shown = {name: address.get(name) for name in _SHOWN_PROPERTIES if address.get(name)}
    return DataAddress(address.type, shown)


def _shown_to_client(process: TransferProcess, made: ProvisionedResource) -> DataAddress:
    """Where the client will find its data, which may be another container than the one that the provider is told."""
    container = made.placement.container if made.placement else made.container
    shown = process.data_destination.with_properties(account=made.account, container=container)
    return shown if process.managed_resources else shown.with_properties(folderName=made.folder)


@contextmanager
def _nothing_made_is_nothing_left(process: TransferProcess) -> Iterator[None]:
    """Let a process end whose provisioning never worked, though the storage account cannot be used at all."""
    try:
        yield
    except PermanentError as error:
        if process.provisioned is not None and process.provisioned.sas_expires_at is not None:
            raise
        _log.info("nothing was provisioned, so nothing is left", extra={"code": error.code})
