"""Adds to what a proof says about a counterparty what the operator says about it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from control_plane.domain.participant import Counterparty, Participant
from control_plane.ports.counterparty_identity import CounterpartyIdentity


class ConfiguredClaims:
    """A CounterpartyIdentity around another one."""

    def __init__(self, inner: CounterpartyIdentity, claims: Mapping[str, Mapping[str, Any]]) -> None:
        """`claims`: by participant id; they count before those of the proof."""
        self._inner = inner
        self._claims = claims

    async def authorization_for(self, counterparty: Counterparty) -> str:
        """See CounterpartyIdentity."""
        return await self._inner.authorization_for(counterparty)

    def refused(self, counterparty: Counterparty, authorization: str) -> bool:
        """See CounterpartyIdentity."""
        return self._inner.refused(counterparty, authorization)

    async def authenticate(self, authorization: str | None) -> Participant:
        """Whoever the inner identity says, with the configured claims."""
        caller = await self._inner.authenticate(authorization)
        return replace(caller, claims={**caller.claims, **self._claims.get(caller.id, {})})
