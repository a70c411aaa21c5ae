"""InboxGrants: gives the sender of an HTTP push an address at this data plane's own public endpoint.

The token is random, opens the inbox of this flow alone, and is kept as a digest. It stays the same for as long as the
flow lives, also over a pause: control planes do not all pass on the fresh address of a resumed push. While the flow
does not receive, it opens nothing. Source: the profile `http` of Data Plane Signaling.
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta

from connector_spi.clock import Clock
from connector_spi.data_address import DataAddress
from connector_spi.errors import InvalidInputError
from data_plane.domain.data_flow import DataFlow
from data_plane.domain.public_access import PublicAccess, TokenPair
from data_plane.domain.transfer_profile import Direction, TransferProfile
from data_plane.ports.access_granter import GrantedAccess
from data_plane.services.profile_registry import HTTP_DATA
from data_plane.services.public_grants import public_key

_WISHED_NAMES = ("blobName", "name")
"""How destinations say that they are for one object of this name."""


def goes_through_inbox(profile: TransferProfile, destination: DataAddress) -> bool:
    """Whether the sender of a push writes to us over HTTP, and we to a destination of another kind."""
    is_http_push = profile.direction is Direction.PUSH and profile.address_type == HTTP_DATA
    return is_http_push and destination.type != HTTP_DATA


def wished_name(destination: DataAddress) -> str:
    """The name of the one object that the destination is for; empty when it takes any."""
    return next((destination.get(name) for name in _WISHED_NAMES if destination.get(name)), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxGrants:
    """One for the process."""

    public_url: str
    """Where others reach this data plane's `/public`, without that; empty: nothing is received there."""
    longest_life: timedelta
    """How long a token works at most, should its flow never end."""
    clock: Clock

    def check(self) -> None:
        """Refuse a push over HTTP where nobody could reach us.

        Raises:
            InvalidInputError: no public address is configured.
        """
        if not self.public_url:
            raise InvalidInputError(
                field="profile",
                value=HTTP_DATA,
                problem="is not received here, for this data plane has no public address",
                remedy="Set public_url, or name a destination that the sender writes to by itself.",
            )

    def grant(self, flow: DataFlow) -> GrantedAccess:
        """The inbox's address and a new token; those before it open nothing any more."""
        self.check()
        token = secrets.token_urlsafe(32)
        inbox = f"{self.public_url.rstrip('/')}/public/inbox/{public_key(flow.id)}"
        endpoint = inbox if wished_name(flow.destination) else f"{inbox}/"
        address = DataAddress(HTTP_DATA, {"endpoint": endpoint, "authType": "bearer"})
        # Nothing renews this token: the digest of a token that nobody holds stands for the second one of the pair.
        access = PublicAccess(TokenPair.of(token, secrets.token_urlsafe(32)), self.clock.now() + self.longest_life)
        return GrantedAccess(address, {"authorization": token}, access)
