"""The access tokens of the Entra ID that is played: version 1.0 tokens, which Key Vault and Azurite take."""

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from emulators.clock import OffsetClock
from emulators.state_file import read_state, save_state
from emulators.token_issuer import TokenIssuer

KNOWN_RESOURCES: Final = frozenset(
    {"https://vault.azure.net", "https://storage.azure.com", "https://management.azure.com"}
)
_SET_BACK_SECONDS: Final = 300
"""Entra's tokens begin this much before they are issued."""


class EntraState(BaseModel):
    """What a restart keeps when there is a file for it."""

    key_pem: str = ""
    client_secret: str = ""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a token is for: the application's (client) id, and its object id in the directory."""

    client_id: str
    object_id: str


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A signed token; `expires` in seconds since 1970."""

    text: str
    seconds: int
    expires: int


class EntraTokens:
    """Signs access tokens; the life of those to come can be changed."""

    def __init__(self, *, tenant: str, seconds: int, clock: OffsetClock, data: Path | None) -> None:
        self.seconds = seconds
        self._tenant = tenant
        self._clock = clock
        state = read_state(data, EntraState)
        self._issuer = TokenIssuer(f"https://sts.windows.net/{tenant}/", key_pem=state.key_pem or None)
        save_state(data, state.model_copy(update={"key_pem": self._issuer.private_pem()}))

    @property
    def issuer(self) -> str:
        """The `iss` of its tokens."""
        return self._issuer.issuer

    def key_set(self) -> dict[str, object]:
        """The public keys, for those who check the tokens."""
        return self._issuer.key_set()

    def issue(self, principal: Principal, audience: str) -> AccessToken:
        """A token of the principal for this audience."""
        now = self._clock.seconds()
        expires = int(now) + self.seconds
        text = self._issuer.issue(
            audience=audience,
            issued=now - _SET_BACK_SECONDS,
            begins=now - _SET_BACK_SECONDS,
            expires=expires,
            appid=principal.client_id,
            appidacr="1",
            idp=self._issuer.issuer,
            oid=principal.object_id,
            sub=principal.object_id,
            tid=self._tenant,
            uti=uuid.uuid4().hex[:22],
            ver="1.0",
        )
        return AccessToken(text, self.seconds, expires)


def known_resource(resource: str, extra: frozenset[str]) -> bool:
    """Whether the directory knows the resource that a token is asked for."""
    return resource.rstrip("/") in KNOWN_RESOURCES | extra
