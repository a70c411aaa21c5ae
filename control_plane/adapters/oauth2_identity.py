"""CounterpartyIdentity by access tokens of an authorization server that the participants trust.

Outwards a token by client credentials (RFC 6749, section 4.4), kept until shortly before it ends; inwards a signed
token (RFC 9068 in spirit, and the dynamic attribute tokens of IDS) whose signature, issuer, audience and times are
checked, and one of whose claims names the participant.
"""

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from connector_spi.errors import InvalidInputError, UnauthenticatedError
from connector_spi.json_body import parsed_object
from control_plane.adapters.participant_names import checked_name
from control_plane.domain.participant import CLAIMS_MAX_BYTES, Counterparty, Participant
from outbound_http.jwt_verification import JwtVerifier, bearer_token
from outbound_http.oauth2_tokens import ClientCredentials, OAuth2TokenClient

_CLIENTS_KEPT: Final = 1000


class CounterpartyTokens:
    """One client of the token endpoint for each counterparty, because a token is good for one audience."""

    def __init__(
        self,
        credentials: Callable[[str], ClientCredentials],
        client: Callable[[ClientCredentials], OAuth2TokenClient],
    ) -> None:
        """`credentials`: what a token for this participant is asked for with."""
        self._credentials = credentials
        self._client = client
        self._clients: OrderedDict[str, OAuth2TokenClient] = OrderedDict()

    def of(self, participant_id: str) -> OAuth2TokenClient:
        """The client for tokens that this participant takes; the least used ones are forgotten."""
        if participant_id not in self._clients:
            self._clients[participant_id] = self._client(self._credentials(participant_id))
        self._clients.move_to_end(participant_id)
        while len(self._clients) > _CLIENTS_KEPT:
            self._clients.popitem(last=False)
        return self._clients[participant_id]


class OAuth2Identity:
    """Sends tokens of the authorization server, and takes those that it gave to others for us."""

    def __init__(
        self,
        tokens: CounterpartyTokens,
        verifier: JwtVerifier,
        *,
        participant_claim: str,
        claims: Sequence[str],
        names: Mapping[str, str],
    ) -> None:
        """`claims`: which ones policies may ask for; see `claim_at` for how they are written.

        `names`: what the tokens of a participant (its id) say in the place of its id.
        """
        self._tokens = tokens
        self._verifier = verifier
        self._participant_claim = participant_claim
        self._claims = claims
        self._ids = {name: participant_id for participant_id, name in names.items()}
        self._renamed = frozenset(names)

    async def authorization_for(self, counterparty: Counterparty) -> str:
        """A token that is good for a while."""
        return f"Bearer {await self._tokens.of(counterparty.id).token()}"

    def refused(self, counterparty: Counterparty, authorization: str) -> bool:
        """Forget the token: keys may have been rotated since it was given out."""
        self._tokens.of(counterparty.id).invalidate(bearer_token(authorization))
        return True

    async def authenticate(self, authorization: str | None) -> Participant:
        """Whoever the token's claim names, with the chosen claims."""
        said = await self._verifier.claims(bearer_token(authorization))
        name = checked_name(claim_at(said, self._participant_claim), where=f"The claim {self._participant_claim!r}")
        if name in self._renamed and name not in self._ids:
            # A client that happens to be called like a participant whose tokens say something else.
            raise UnauthenticatedError("The token names a participant by its id, whose tokens say something else.")
        return Participant(id=self._ids.get(name, name), claims=_chosen(said, self._claims))


def claim_at(claims: Mapping[str, Any], name: str) -> object:
    """The claim of this name, or else the nested one that its dots lead to; None: there is none."""
    if name in claims:
        return claims[name]
    found: object = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _chosen(said: Mapping[str, Any], names: Sequence[str]) -> Mapping[str, Any]:
    """The chosen claims that are there.

    Raises:
        UnauthenticatedError: they are larger than is kept with a process, or hold what cannot be stored.
    """
    present = {name: value for name in names if (value := claim_at(said, name)) is not None}
    written = json.dumps(present).encode()
    if len(written) > CLAIMS_MAX_BYTES:
        raise UnauthenticatedError(f"The token's claims are larger than {CLAIMS_MAX_BYTES} bytes.")
    try:
        return parsed_object(written)
    except InvalidInputError as error:
        raise UnauthenticatedError("The token's claims hold what cannot be stored.") from error
