"""Who may use the vault: bearers of an Entra token that is really checked, and of those the ones with a role."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from emulators.bearer_tokens import Fault, PublicKeys, RefusedTokenError, key_id, keys_of_jwks, verified_claims
from emulators.key_vault_errors import KeyVaultFaultError

RESOURCE: Final = "https://vault.azure.net"
_AUDIENCES: Final = frozenset({RESOURCE, f"{RESOURCE}/"})
_MESSAGES: Final = {
    Fault.MALFORMED: "AKV10001: The token is malformed.",
    Fault.SIGNATURE: "AKV10000: Error validating token: IDX10511: Signature validation failed.",
    Fault.ISSUER: "AKV10032: Invalid issuer.",
    Fault.AUDIENCE: "AKV10022: Invalid audience.",
    Fault.EXPIRED: "[TokenExpired] Error validating token: IDX10223: Lifetime validation failed.",
    Fault.NOT_YET_VALID: "[BadRequest] Error validating token: IDX10222: Lifetime validation failed.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EntraTrust:
    """Which Entra's tokens are taken; `object_ids`: who has a role, None for everybody in the tenant."""

    url: str
    ca_file: Path | None
    tenant: str
    object_ids: frozenset[str] | None = None


class KeyVaultAccess:
    """Checks the token of each request against the keys that Entra publishes."""

    def __init__(self, trust: EntraTrust, now: Callable[[], float]) -> None:
        self._trust = trust
        self._now = now
        self._keys: PublicKeys = {}

    async def caller(self, authorization: str | None) -> str:
        """The object id of who asks.

        Raises:
            KeyVaultFaultError: 401 with a challenge for want of a good token; 403 for want of a role.
        """
        if not authorization or not authorization.startswith("Bearer "):
            raise self._challenge("AKV10000: Request is missing a Bearer or PoP token.")
        try:
            object_id = await self._verified(authorization.removeprefix("Bearer "))
        except RefusedTokenError as error:
            raise self._challenge(_MESSAGES[error.fault]) from error
        if self._trust.object_ids is not None and object_id not in self._trust.object_ids:
            text = f"Caller is not authorized to perform action on resource. Caller: oid={object_id}"
            raise KeyVaultFaultError(403, "Forbidden", text, inner="ForbiddenByRbac")
        return object_id

    async def _verified(self, token: str) -> str:
        if key_id(token) not in self._keys:
            self._keys = await self._published_keys()
        issuer = f"https://sts.windows.net/{self._trust.tenant}/"
        claims = verified_claims(token, self._keys, issuer=issuer, audiences=_AUDIENCES, now=self._now())
        return str(claims.get("oid", ""))

    async def _published_keys(self) -> PublicKeys:
        address = f"{self._trust.url}/{self._trust.tenant}/discovery/v2.0/keys"
        verify = ssl.create_default_context(cafile=self._trust.ca_file) if self._trust.ca_file else True
        try:
            async with httpx.AsyncClient(verify=verify, trust_env=False, timeout=10) as http:
                answer = await http.get(address)
                return keys_of_jwks(answer.raise_for_status().json())
        except httpx.HTTPError as error:
            raise KeyVaultFaultError(503, "ServiceUnavailable", "The token cannot be checked now.") from error

    def _challenge(self, message: str) -> KeyVaultFaultError:
        challenge = f'Bearer authorization="{self._trust.url}/{self._trust.tenant}", resource="{RESOURCE}"'
        return KeyVaultFaultError(401, "Unauthorized", message, headers={"WWW-Authenticate": challenge})
