"""Access tokens by OAuth 2.0 client credentials (RFC 6749, section 4.4), fetched once and shared until they end."""

import asyncio
import json
import math
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from connector_spi.errors import PeerRefusedError, PeerUnavailableError
from outbound_http.guarded_client import read_limited

ANSWER_MAX_BYTES: Final = 64 * 1024
_TOKEN_MAX: Final = 16_384
_UNKNOWN_LIFE_SECONDS: Final = 60.0
"""How long a token is used whose answer tells no end."""
_RENEWED_BEFORE_SECONDS: Final = 30.0
_OK: Final = 200
_TRY_AGAIN: Final = frozenset({408, 425, 429})
_SERVER_ERRORS: Final = 500
_ERROR_CODE: Final = re.compile(r"[a-z_]{1,40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCredentials:
    """Who asks for tokens, where, and for what. `secret` reads the client's secret, each time it is needed."""

    token_endpoint: str
    client_id: str
    secret: Callable[[], Awaitable[str]]
    scope: str = ""
    audience: str = ""
    resource: str = ""
    """What the token is for, to servers that follow RFC 8707."""


@dataclass(frozen=True, slots=True)
class _Token:
    value: str
    good_until: float


class OAuth2TokenClient:
    """Tokens for one set of credentials. Callers that come at the same time share one request."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        credentials: ClientCredentials,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`client`: a guarded one, for the endpoint may have been named by somebody else."""
        self._client = client
        self._credentials = credentials
        self._monotonic = monotonic
        self._token: _Token | None = None
        self._failures = 0
        self._fetching = asyncio.Lock()

    async def token(self) -> str:
        """A token that is good for a while.

        Raises:
            PeerUnavailableError: the token endpoint does not answer, or not with a token.
            PeerRefusedError: it does not accept the credentials.
            ForbiddenAddressError: its address may not be called.
            SecretNotFoundError, VaultForbiddenError, VaultUnavailableError: the secret could not be read.
        """
        if (known := self._good()) is not None:
            return known
        failures = self._failures
        async with self._fetching:
            if (known := self._good()) is not None:
                return known
            if self._failures != failures:
                # It failed while this caller waited; one after the other, all of them would wait for it again.
                raise PeerUnavailableError("The token endpoint did not answer a moment ago.")
            try:
                self._token = await self._fetched()
            except PeerUnavailableError:
                self._failures += 1
                raise
            return self._token.value

    def invalidate(self, token: str) -> None:
        """Do not give out this token any more: somebody answered 401 to it. A newer one stays."""
        if self._token is not None and self._token.value == token:
            self._token = None

    def _good(self) -> str | None:
        token = self._token
        return token.value if token is not None and self._monotonic() < token.good_until else None

    async def _fetched(self) -> _Token:
        wanted = self._credentials
        form = {
            "grant_type": "client_credentials",
            "client_id": wanted.client_id,
            "client_secret": await wanted.secret(),
        }
        wishes = {"scope": wanted.scope, "audience": wanted.audience, "resource": wanted.resource}
        form |= {name: value for name, value in wishes.items() if value}
        asked_at = self._monotonic()
        try:
            async with self._client.stream("POST", wanted.token_endpoint, data=form) as response:
                body = await read_limited(response, max_bytes=ANSWER_MAX_BYTES)
        except httpx.HTTPError as error:
            raise PeerUnavailableError(f"The token endpoint does not answer ({type(error).__name__}).") from error
        _check(response.status_code, body)
        answer = _parsed(body)
        return _Token(_token_in(answer), asked_at + _used_for(answer.get("expires_in")))


def _check(status: int, body: bytes) -> None:
    if status == _OK:
        return
    if status in _TRY_AGAIN or status >= _SERVER_ERRORS:
        raise PeerUnavailableError(f"The token endpoint answered HTTP {status}.")
    raise PeerRefusedError(
        f"The token endpoint answered HTTP {status}{_error_code(body)}; check client id and secret, and whether this "
        "client may ask for the configured scope and audience.",
        status=status,
    )


def _error_code(body: bytes) -> str:
    """The answer's error code (RFC 6749, section 5.2), if it has one of the known form."""
    try:
        code = json.loads(body)["error"]
    except (ValueError, RecursionError, TypeError, KeyError):
        return ""
    return f" ({code})" if isinstance(code, str) and _ERROR_CODE.fullmatch(code) else ""


def _parsed(body: bytes) -> Mapping[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise PeerUnavailableError("The token endpoint's answer is not a JSON object.")
    return answer


def _token_in(answer: Mapping[str, Any]) -> str:
    token, kind = answer.get("access_token"), answer.get("token_type", "Bearer")
    if not isinstance(token, str) or not 0 < len(token) <= _TOKEN_MAX or not token.isascii() or not token.isprintable():
        raise PeerUnavailableError("The token endpoint's answer holds no usable access_token.")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise PeerUnavailableError("The token endpoint gives out tokens that are no bearer tokens.")
    return token


def _used_for(expires_in: object) -> float:
    """Seconds for which a token is given out: a little less than it lives."""
    try:
        life = float(expires_in)  # type: ignore[arg-type] # what is no number is an error below
    except (TypeError, ValueError):
        life = _UNKNOWN_LIFE_SECONDS
    if not math.isfinite(life) or life <= 0:
        life = _UNKNOWN_LIFE_SECONDS
    return life - min(_RENEWED_BEFORE_SECONDS, life / 4)
