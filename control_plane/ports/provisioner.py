"""Provisioner: makes and removes what a transfer needs on the consumer's side."""

from dataclasses import dataclass
from typing import Protocol

from control_plane.domain.transfer_process import ProvisionedResource, TransferProcess


@dataclass(frozen=True, slots=True, kw_only=True)
class Provisioned:
    """What was made, and the secret that opens it. The secret goes to the vault and nowhere else."""

    resource: ProvisionedResource
    secret: str

    def __repr__(self) -> str:
        return f"Provisioned(resource={self.resource!r}, secret='***')"


class Provisioner(Protocol):
    """Provisions the destination of transfers of one DataAddress type. Every call may be repeated.

    Every method raises transient errors when the storage or the vault does not answer, and permanent ones (missing
    secret, wrong key, name taken) whose message names the alias or the container and never a value.
    """

    def plan(self, process: TransferProcess) -> ProvisionedResource:
        """What will be made. Pure; written down before anything is made, so that a crash leaks nothing.

        Raises:
            InvalidInputError: account, container or folder of the destination are not acceptable.
        """
        ...

    async def provision(self, process: TransferProcess) -> Provisioned:
        """Make `process.provisioned` (the plan) and a write-only credential for it."""
        ...

    async def renew(self, process: TransferProcess) -> Provisioned:
        """Prolong the credential for what was made, from now on: the same place and rights, a later end."""
        ...

    async def revoke(self, process: TransferProcess) -> None:
        """Make the credential worthless; fine when it or the container is gone."""
        ...

    async def deprovision(self, process: TransferProcess) -> None:
        """Remove what this process created, and only that; fine when it is gone."""
        ...
