"""DestinationPreparer: makes a place that a sender can write to, on the receiver's side."""

from dataclasses import dataclass, field
from typing import Protocol

from connector_spi.data_address import DataAddress


@dataclass(frozen=True, slots=True)
class PreparedDestination:
    """A place, and the write-only credential to it."""

    address: DataAddress
    """Without the credential; its `keyName` is the alias of our own key to the place."""
    secret: str = field(repr=False)


class DestinationPreparer(Protocol):
    """Prepares destinations of one address type. Both calls may be repeated under the same flow id."""

    async def prepare(self, flow_id: str, wish: DataAddress) -> PreparedDestination:
        """Make the place and a credential for the sender.

        Raises:
            InvalidInputError: the wished address is wrong.
            ConflictError: the place exists and is not this flow's.
            SecretNotFoundError, PermanentError, TransientError: the storage or the vault refused or did not answer.
        """
        ...

    async def release(self, flow_id: str, address: DataAddress, *, delivered: bool) -> None:
        """Revoke the credential; delete the place unless data was delivered, which then is the receiver's.

        Raises:
            PermanentError, TransientError: as for `prepare`.
        """
        ...
