"""PublicGranter: gives access to a flow's source at this data plane's own public endpoint (HTTP pull).

The token is random, opens this flow alone, and is kept as a digest. Sources of: the profiles `http` and `token-renewal`
of Data Plane Signaling.
"""

import base64
import binascii
import secrets
from dataclasses import dataclass
from datetime import timedelta

from connector_spi.clock import Clock
from connector_spi.data_address import DataAddress
from connector_spi.errors import NotFoundError
from data_plane.domain.data_flow import DataFlow
from data_plane.domain.public_access import PublicAccess, TokenPair
from data_plane.ports.access_granter import GrantedAccess
from data_plane.services.profile_registry import HTTP_DATA


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicGranter:
    """Implements `data_plane.ports.access_granter.AccessGranter` for HttpData."""

    public_url: str
    """Where others reach this data plane's `/public`, without that."""
    token_life: timedelta
    clock: Clock

    def check(self, source: DataAddress) -> None:
        """Every source can be served object by object."""

    async def grant(self, flow: DataFlow) -> GrantedAccess:
        """New tokens; those before them open nothing any more."""
        token, refresh_token = new_tokens(flow.id)
        base = f"{self.public_url.rstrip('/')}/public"
        address = DataAddress(
            HTTP_DATA,
            {
                "endpoint": f"{base}/flows/{public_key(flow.id)}/",
                "authType": "bearer",
                "expiresIn": str(int(self.token_life.total_seconds())),
                "refreshEndpoint": f"{base}/token",
            },
        )
        access = PublicAccess(TokenPair.of(token, refresh_token), self.clock.now() + self.token_life)
        return GrantedAccess(address, {"authorization": token, "refreshToken": refresh_token}, access)

    async def end(self, flow: DataFlow) -> None:
        """The flow's state has ended it."""


def new_tokens(flow_id: str) -> tuple[str, str]:
    """An access token and a refresh token; the latter says which flow it is of."""
    return secrets.token_urlsafe(32), f"{public_key(flow_id)}.{secrets.token_urlsafe(32)}"


def public_key(flow_id: str) -> str:
    """The flow's name in public addresses, which any id fits into."""
    return base64.urlsafe_b64encode(flow_id.encode()).decode().rstrip("=")


def flow_id_of(key: str) -> str:
    """The flow of this public name.

    Raises:
        NotFoundError: it is none.
    """
    try:
        flow_id = base64.b64decode(key + "=" * (-len(key) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        flow_id = ""
    # PostgreSQL does not even look for a text with NUL: it raises.
    if not flow_id or "\0" in flow_id:
        raise NotFoundError(kind="Data flow", object_id=key[:64])
    return flow_id
