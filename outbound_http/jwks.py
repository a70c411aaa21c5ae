"""Public keys of peers as JSON Web Key Sets (RFC 7517): given inline, or fetched from an address."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import httpx
import jwt

from connector_spi.errors import InvalidInputError, PeerUnavailableError
from outbound_http.guarded_client import read_limited

JWKS_MAX_BYTES: Final = 256 * 1024
_KEYS_MAX: Final = 100
_OK: Final = 200


JsonRead = Callable[[httpx.AsyncClient, str], Awaitable[Mapping[str, Any]]]
"""Fetches a key set."""


class PublicKeys(Protocol):
    """Keys that may have signed a token."""

    async def candidates(self, kid: str | None) -> Sequence[jwt.PyJWK]:
        """The keys of this id; all of them when the token names none.

        Raises:
            PeerUnavailableError: the keys have to be fetched, and their address does not answer.
            ForbiddenAddressError: the address may not be called.
        """
        ...


class InlineKeys:
    """Keys that came with a registration or stand in the settings."""

    def __init__(self, jwks: Mapping[str, Any]) -> None:
        """Reads the set.

        Raises:
            InvalidInputError: it holds no public key that can verify a signature.
        """
        self._keys = parsed_keys(jwks)

    async def candidates(self, kid: str | None) -> Sequence[jwt.PyJWK]:
        """The keys of this id; all of them when the token names none."""
        return _matching(self._keys, kid)


class FetchedKeys:
    """Keys behind an address, kept for `kept_seconds`, and asked for again when a token names an unknown one.

    An outsider can send tokens with unknown key ids as often as it likes, so fetches are at least `floor_seconds`
    apart. In between nobody can tell whether a key is unknown or new: whoever sent the token has to try again.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        uri: str,
        *,
        kept_seconds: float = 3600.0,
        floor_seconds: float = 10.0,
        read: JsonRead | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`client`: a guarded one. `read`: fetches what is at the address as a key set, where it is something else."""
        self._client = client
        self._uri = uri
        self._read = read or _key_set
        self._kept_seconds = kept_seconds
        self._floor_seconds = floor_seconds
        self._monotonic = monotonic
        self._keys: Sequence[jwt.PyJWK] = ()
        self._fetched_at: float | None = None
        self._asked_at: float | None = None
        self._fetching = asyncio.Lock()

    async def candidates(self, kid: str | None) -> Sequence[jwt.PyJWK]:
        """The keys of this id, of a fresh set where the kept one is old or does not hold it."""
        if self._is_fresh() and (known := _matching(self._keys, kid)):
            return known
        async with self._fetching:
            if not (self._is_fresh() and _matching(self._keys, kid)):
                await self._fetch()
        return _matching(self._keys, kid)

    def _is_fresh(self) -> bool:
        return self._fetched_at is not None and self._monotonic() - self._fetched_at < self._kept_seconds

    def _may_ask(self) -> bool:
        return self._asked_at is None or self._monotonic() - self._asked_at >= self._floor_seconds

    async def _fetch(self) -> None:
        if not self._may_ask():
            raise PeerUnavailableError(
                "The peer's keys were asked for a moment ago, without getting this one.",
                retry_after_seconds=self._floor_seconds,
            )
        try:
            keys = parsed_keys(await self._read(self._client, self._uri))
            self._keys, self._fetched_at = keys, self._monotonic()
        finally:
            # The end counts: whoever waited for an address that does not answer shall not wait for it once more.
            self._asked_at = self._monotonic()


async def _key_set(client: httpx.AsyncClient, uri: str) -> Mapping[str, Any]:
    return await fetched_json(client, uri, max_bytes=JWKS_MAX_BYTES)


async def fetched_json(client: httpx.AsyncClient, uri: str, *, max_bytes: int) -> Mapping[str, Any]:
    """The JSON object behind an address.

    Raises:
        PeerUnavailableError: there is no answer, or none that is a JSON object of at most `max_bytes`.
        ForbiddenAddressError: the address may not be called.
    """
    try:
        async with client.stream("GET", uri) as response:
            if response.status_code != _OK:
                raise PeerUnavailableError(f"The address of the peer's keys answered HTTP {response.status_code}.")
            body = await read_limited(response, max_bytes=max_bytes)
    except httpx.HTTPError as error:
        name = type(error).__name__
        raise PeerUnavailableError(f"The address of the peer's keys does not answer ({name}).") from error
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise PeerUnavailableError("The answer with the peer's keys is not a JSON object.")
    return parsed


def parsed_keys(jwks: Mapping[str, Any]) -> Sequence[jwt.PyJWK]:
    """The set's keys that can verify signatures; those of other kinds are left out.

    Raises:
        InvalidInputError: none is left.
    """
    entries = jwks.get("keys")
    keys = [key for entry in (entries if isinstance(entries, list) else [])[:_KEYS_MAX] if (key := _key(entry))]
    if not keys:
        raise InvalidInputError(field="jwks", value="...", problem="holds no public key for signatures")
    return keys


def _key(entry: object) -> jwt.PyJWK | None:
    # Symmetric keys are left out: nobody who publishes one can be told apart by it.
    if not isinstance(entry, dict) or entry.get("kty") not in {"RSA", "EC", "OKP"} or entry.get("use", "sig") != "sig":
        return None
    public = {name: value for name, value in entry.items() if name not in {"d", "p", "q", "dp", "dq", "qi", "oth"}}
    try:
        return jwt.PyJWK.from_dict(public)
    except (jwt.PyJWTError, ValueError, TypeError, NotImplementedError):  # the last one: "alg" is "none"
        return None


def _matching(keys: Sequence[jwt.PyJWK], kid: str | None) -> Sequence[jwt.PyJWK]:
    return keys if kid is None else [key for key in keys if key.key_id == kid]
