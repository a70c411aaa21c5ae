"""AccessGranter: opens a source to the consumer of a pull, on the provider's side."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from connector_spi.data_address import DataAddress
from data_plane.domain.data_flow import DataFlow
from data_plane.domain.public_access import PublicAccess


@dataclass(frozen=True, slots=True)
class GrantedAccess:
    """Where the consumer reads, and what opens it."""

    address: DataAddress
    """Without the secrets."""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """By the name of the address property that carries each on the wire."""
    access: PublicAccess | None = None
    """What is kept to recognise the reader, where it reads at this data plane."""


class AccessGranter(Protocol):
    """Grants access with addresses of one type. Every call may be repeated."""

    def check(self, source: DataAddress) -> None:
        """Refuse a source that cannot be opened exactly: whoever gets the address reads what was agreed, no more.

        Raises:
            InvalidInputError: names what does not fit.
        """
        ...

    async def grant(self, flow: DataFlow) -> GrantedAccess:
        """Open the flow's source for its consumer; what was granted before may end with that.

        Raises:
            SecretNotFoundError, PermanentError, TransientError: the storage or the vault refused or did not answer.
        """
        ...

    async def end(self, flow: DataFlow) -> None:
        """End the access as far as the technology lets us; the rest runs out by itself.

        Raises:
            PermanentError, TransientError: as for `grant`.
        """
        ...
