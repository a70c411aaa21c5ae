"""Public keys of participants that are named by a `did:web` (W3C did:web method; DID Core 1.0)."""

import re
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote

import httpx
import jwt

from connector_spi.errors import UnauthenticatedError
from outbound_http.jwks import FetchedKeys, JsonRead, fetched_json

DOCUMENT_MAX_BYTES: Final = 256 * 1024
_PREFIX: Final = "did:web:"
_HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(?::\d{1,5})?")
_SEGMENT: Final = re.compile(r"[A-Za-z0-9._~-]{1,128}")
_DOCUMENTS_KEPT: Final = 1000
_FLOOR_SECONDS: Final = 1.0
"""Between two fetches of one document; only a party that is known already makes us fetch it."""


def document_url(did: str, *, http_hosts: Collection[str] = ()) -> str:
    """Where the document of a `did:web` is.

    `http_hosts`: hosts (with their port, where they have one) that are asked without TLS; for development.

    Raises:
        UnauthenticatedError: it is no `did:web`.
    """
    host, *path = did.removeprefix(_PREFIX).split(":")
    host = unquote(host)
    good_path = all(_SEGMENT.fullmatch(part) and set(part) != {"."} for part in path)
    if not did.startswith(_PREFIX) or not _HOST.fullmatch(host) or not good_path:
        raise UnauthenticatedError("The party is not named by a did:web, so its keys cannot be found.")
    scheme = "http" if host in http_hosts else "https"
    return f"{scheme}://{host}/{'/'.join(path) if path else '.well-known'}/did.json"


class DidWebKeys:
    """The keys of each DID, from its document; fetched again when a token names a key that it does not hold."""

    def __init__(
        self, client: httpx.AsyncClient, *, http_hosts: Collection[str] = (), relationship: str | None = None
    ) -> None:
        """`client`: a guarded one.

        `relationship`: only keys that the document lists for this purpose (`authentication`, `capabilityInvocation`);
        None: all.
        """
        self._client = client
        self._relationship = relationship
        self._http_hosts = frozenset(http_hosts)
        self._documents: OrderedDict[str, FetchedKeys] = OrderedDict()

    async def candidates(self, did: str, kid: str | None) -> Sequence[jwt.PyJWK]:
        """The keys of this id in the DID's document; all of them when the token names none.

        Raises:
            UnauthenticatedError: it is no `did:web`, or its document holds no usable key.
            PeerUnavailableError, ForbiddenAddressError: the document could not be fetched.
        """
        return await self.of(did).candidates(kid)

    def of(self, did: str) -> FetchedKeys:
        """The keys of this DID.

        Raises:
            UnauthenticatedError: it is no `did:web`.
        """
        if did not in self._documents:
            url = document_url(did, http_hosts=self._http_hosts)
            read = _document_of(did, self._relationship)
            self._documents[did] = FetchedKeys(self._client, url, floor_seconds=_FLOOR_SECONDS, read=read)
        self._documents.move_to_end(did)
        while len(self._documents) > _DOCUMENTS_KEPT:
            self._documents.popitem(last=False)
        return self._documents[did]


def _document_of(did: str, relationship: str | None) -> JsonRead:
    async def read(client: httpx.AsyncClient, url: str) -> Mapping[str, Any]:
        document = await fetched_json(client, url, max_bytes=DOCUMENT_MAX_BYTES)
        if document.get("id") != did:
            raise UnauthenticatedError("The document at the party's address is that of another one.")
        return {"keys": [_jwk(did, method) for method in _methods(did, document, relationship)]}

    return read


def _methods(did: str, document: Mapping[str, Any], relationship: str | None) -> Sequence[object]:
    """The verification methods, of one relationship where it names one: by reference, or embedded in it."""
    methods = _listed(document, "verificationMethod")
    if relationship is None:
        return methods
    related = _listed(document, relationship)
    named = {_absolute(did, entry) for entry in related if isinstance(entry, str)}
    referenced = [m for m in methods if isinstance(m, dict) and _absolute(did, str(m.get("id", ""))) in named]
    return [*referenced, *(entry for entry in related if isinstance(entry, dict))]


def _listed(document: Mapping[str, Any], name: str) -> list[object]:
    found = document.get(name)
    return found if isinstance(found, list) else []


def _jwk(did: str, method: object) -> Mapping[str, Any]:
    """A verification method as a JSON Web Key whose id is the method's; empty when it holds none."""
    if not isinstance(method, dict) or not isinstance(method.get("publicKeyJwk"), dict):
        return {}
    return {**method["publicKeyJwk"], "kid": _absolute(did, str(method.get("id", "")))}


def _absolute(did: str, name: str) -> str:
    return did + name if name.startswith("#") else name
