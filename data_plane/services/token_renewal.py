"""TokenRenewal: gives the reader of an HTTP pull a fresh token for a refresh token (profile `token-renewal`)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from connector_spi.clock import Clock
from connector_spi.errors import NotFoundError, UnauthenticatedError
from connector_spi.signaling import DataFlowState
from data_plane.domain.data_flow import DataFlow
from data_plane.domain.errors import InvalidGrantError
from data_plane.domain.public_access import TokenPair
from data_plane.ports.client_identity import ClientIdentity
from data_plane.ports.credential_renewal import RenewalUnavailableError
from data_plane.ports.data_flow_store import DataFlowStore
from data_plane.services.flow_readiness import alias_of_readiness
from data_plane.services.public_grants import flow_id_of, new_tokens
from data_plane.services.renewed_secret import RenewedSecrets


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRenewal:
    """One for the process."""

    store: DataFlowStore
    kept: RenewedSecrets
    identity: ClientIdentity
    clock: Clock
    token_life: timedelta

    async def renewed(self, refresh_token: str, client_token: str) -> Mapping[str, Any]:
        """The answer of RFC 6749, section 5.1. The refresh token is used up; a new one comes with the answer.

        Cheap checks come first: nobody's keys are fetched for a refresh token that is none.

        Raises:
            InvalidGrantError: the refresh token is not the flow's, or the flow is not running.
            UnauthenticatedError: `client_token` was not signed by the flow's consumer, for us, with its token in it.
            PeerUnavailableError, ForbiddenAddressError: the consumer's keys could not be fetched.
            StaleDataFlowError: another renewal was faster.
        """
        flow = await self._flow_of(refresh_token)
        claims = await self.identity.claims(client_token, client=flow.counter_party_id, audience=flow.participant_id)
        used, now = claims.get("token"), self.clock.now()
        if flow.access is None or not isinstance(used, str):
            raise UnauthenticatedError("The client's token does not hold the access token that is to be renewed.")
        if not flow.access.may_renew(used, refresh_token, at=now):
            raise InvalidGrantError("The refresh token is not the one that was given out with the access token.")
        token, fresh_refresh = new_tokens(flow.id)
        access = flow.access.renewed(TokenPair.of(token, fresh_refresh), at=now, life=self.token_life)
        await self.store.save(replace(flow, access=access))
        await self._keep(flow, token, fresh_refresh)
        return {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": int(self.token_life.total_seconds()),
            "refresh_token": fresh_refresh,
        }

    async def _flow_of(self, refresh_token: str) -> DataFlow:
        try:
            flow = await self.store.find(flow_id_of(refresh_token.partition(".")[0]))
        except NotFoundError:
            flow = None
        if flow is None or flow.access is None or flow.state is not DataFlowState.STARTED:
            raise InvalidGrantError("The refresh token is not that of a running flow.")
        return flow

    async def _keep(self, flow: DataFlow, token: str, refresh_token: str) -> None:
        """Let the start message, should it come again, be answered with what works now."""
        secrets = json.dumps({"authorization": token, "refreshToken": refresh_token})
        try:
            await self.kept.keep(flow, alias_of_readiness(flow.id, flow.role) or "", secrets)
        except RenewalUnavailableError as error:
            raise InvalidGrantError(error.message) from error
