"""The registered application and how it proves itself: its secret, or a token of an issuer that it trusts."""

import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from emulators.bearer_tokens import Fault, PublicKeys, RefusedTokenError, verified_claims
from emulators.entra_errors import EntraRefusalError, Refusal
from emulators.entra_tokens import EntraState, Principal
from emulators.state_file import read_state, save_state

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
EXCHANGE_AUDIENCE: Final = "api://AzureADTokenExchange"
_REFUSALS: Final = {
    Fault.MALFORMED: Refusal.ASSERTION_MALFORMED,
    Fault.SIGNATURE: Refusal.ASSERTION_SIGNATURE,
    Fault.ISSUER: Refusal.ASSERTION_ISSUER,
    Fault.AUDIENCE: Refusal.ASSERTION_AUDIENCE,
    Fault.EXPIRED: Refusal.ASSERTION_TIME,
    Fault.NOT_YET_VALID: Refusal.ASSERTION_TIME,
}


@dataclass(frozen=True, slots=True)
class Federation:
    """The federated identity record: whose tokens, with which issuer, subject and audience, stand for the secret."""

    keys: PublicKeys
    issuer: str
    subject: str
    audience: str = EXCHANGE_AUDIENCE


class EntraClient:
    """The one application of the tenant."""

    def __init__(
        self,
        principal: Principal,
        *,
        client_secret: str,
        federation: Federation | None,
        now: Callable[[], float],
        data: Path | None,
    ) -> None:
        self._principal = principal
        self._federation = federation
        self._now = now
        self._data = data
        self._secret = read_state(data, EntraState).client_secret or client_secret

    def rotate_secret(self) -> str:
        """Put a new secret in the place of the old one."""
        self._secret = secrets.token_urlsafe(30)
        save_state(self._data, read_state(self._data, EntraState).model_copy(update={"client_secret": self._secret}))
        return self._secret

    def prove(self, form: Mapping[str, str]) -> Principal:
        """Whom a token may be issued to.

        Raises:
            EntraRefusalError: the application is unknown, or its proof is not good.
        """
        client_id = form.get("client_id", "")
        if client_id != self._principal.client_id:
            raise EntraRefusalError(Refusal.CLIENT_UNKNOWN, client_id)
        if form.get("client_assertion_type") == ASSERTION_TYPE:
            self._check_assertion(form.get("client_assertion", ""))
        elif "client_secret" in form:
            if not hmac.compare_digest(form["client_secret"].encode(), self._secret.encode()):
                raise EntraRefusalError(Refusal.SECRET_WRONG, client_id)
        else:
            raise EntraRefusalError(Refusal.NO_PROOF)
        return self._principal

    def _check_assertion(self, assertion: str) -> None:
        trusted = self._federation
        if trusted is None:
            raise EntraRefusalError(Refusal.ASSERTION_ISSUER)
        audiences = frozenset([trusted.audience])
        try:
            claims = verified_claims(
                assertion, trusted.keys, issuer=trusted.issuer, audiences=audiences, now=self._now()
            )
        except RefusedTokenError as error:
            raise EntraRefusalError(_REFUSALS[error.fault]) from error
        if claims.get("sub") != trusted.subject:
            raise EntraRefusalError(Refusal.ASSERTION_SUBJECT, str(claims.get("sub")))
