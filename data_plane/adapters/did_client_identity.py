"""ClientIdentity by `did:web`: a participant's id is its DID, and its document holds its keys."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

from connector_spi.clock import Clock
from connector_spi.errors import InvalidInputError, UnauthenticatedError
from outbound_http.did_web import DidWebKeys
from outbound_http.jwt_verification import JwtVerifier, TokenRules

_LIFE_MAX_SECONDS: Final = 3600.0
_VERIFIERS_KEPT: Final = 1000


class DidClientIdentity:
    """Implements `data_plane.ports.client_identity.ClientIdentity`. A token is accepted once."""

    def __init__(self, keys: DidWebKeys, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock
        self._verifiers: OrderedDict[tuple[str, str], JwtVerifier] = OrderedDict()

    async def claims(self, token: str, *, client: str, audience: str) -> Mapping[str, Any]:
        """What the token says."""
        try:
            return await self._verifier(client, audience).claims(token)
        except InvalidInputError as error:
            raise UnauthenticatedError("The client's DID document holds no key that can verify a token.") from error

    def _verifier(self, client: str, audience: str) -> JwtVerifier:
        key = (client, audience)
        if key not in self._verifiers:
            rules = TokenRules(
                audience=audience, issuer=client, subject=client, max_life_seconds=_LIFE_MAX_SECONDS, once=True
            )
            self._verifiers[key] = JwtVerifier(self._keys.of(client), rules, self._clock)
        self._verifiers.move_to_end(key)
        while len(self._verifiers) > _VERIFIERS_KEPT:
            self._verifiers.popitem(last=False)
        return self._verifiers[key]
