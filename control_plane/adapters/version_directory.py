"""Where a counterparty serves our version of the Dataspace Protocol, from its version document.

A client names a counterparty by its root (below which the document is) or, as EDC's clients do, by its base address,
version path included. Source: Dataspace Protocol 2025-1, section 4.3 (exposure of versions).
"""

import asyncio
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

import httpx
from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from connector_spi.errors import ForbiddenAddressError, InvalidInputError, PeerRefusedError, PeerUnavailableError
from connector_spi.json_body import parsed_object
from control_plane.dsp_messages import VERSION
from outbound_http.guarded_client import read_limited

WELL_KNOWN: Final = "/.well-known/dspace-version"
DOCUMENT_MAX_BYTES: Final = 64 * 1024
KEPT_SECONDS: Final = 3600.0
NOTHING_KEPT_SECONDS: Final = 60.0
"""How long it is remembered that an address has no document, or one without our version."""
UNREACHABLE_KEPT_SECONDS: Final = 5.0
"""So that everybody who waits for one answer learns together that there is none."""
_ADDRESSES_KEPT: Final = 1000
_ENTRIES_MAX: Final = 100
_BINDING: Final = "HTTPS"
_PATH: Final = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?")
_OK: Final = 200
_PASSING: Final = frozenset({408, 425, 429, 502, 503, 504})

_log = logging.getLogger(__name__)


class UnsupportedVersionError(PeerRefusedError):
    """The counterparty speaks the Dataspace Protocol, and no version of it that this connector speaks."""

    code = "UnsupportedVersion"
    cause = "the counterparty speaks no version of the Dataspace Protocol that this connector speaks"
    remedy = (
        "Compare with its /.well-known/dspace-version. Use its address of version 2025-1 where it has one; otherwise "
        "it has to be updated."
    )

    def __init__(self, *, address: str, offered: tuple[str, ...]) -> None:
        theirs = ", ".join(offered) or "none over HTTPS"
        super().__init__(
            f"The counterparty at {address!r} speaks other versions of the Dataspace Protocol ({theirs}); "
            f"this connector speaks {VERSION}.",
            status=_OK,
        )


class _Entry(BaseModel):
    version: Annotated[str, Field(max_length=64)]
    path: Annotated[str, Field(max_length=512, pattern=rf"^{_PATH.pattern}$")] = ""
    binding: Annotated[str, BeforeValidator(lambda value: value or _BINDING)] = _BINDING


class _Document(BaseModel):
    entries: Annotated[list[Any], Field(alias="protocolVersions", max_length=_ENTRIES_MAX)]

    def readable(self) -> list[_Entry]:
        """The entries of our binding; one that cannot be read is passed over, for it may be of a later time."""
        found = []
        for entry in self.entries:
            try:
                found.append(_Entry.model_validate(entry))
            except ValidationError:
                continue
        return [entry for entry in found if entry.binding.upper() == _BINDING]


@dataclass(slots=True)
class _Known:
    """What is known of one address."""

    base: str = ""
    other_versions: tuple[str, ...] | None = None
    unreachable: bool = False
    until: float = 0.0
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)


class VersionDirectory:
    """Base addresses of counterparties; each document is fetched once, and again when it is old."""

    def __init__(
        self, http: httpx.AsyncClient, *, call_seconds: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """`http`: a guarded client. `call_seconds`: limit of one fetch."""
        self._http = http
        self._call_seconds = call_seconds
        self._monotonic = monotonic
        self._known: OrderedDict[str, _Known] = OrderedDict()

    async def base_address(self, address: str) -> str:
        """The address below which messages go, without a slash at its end.

        A counterparty without a version document is taken at the address's word.

        Raises:
            UnsupportedVersionError: its document names other versions alone.
            PeerUnavailableError: it does not answer, and the address alone does not tell the version's path.
            ForbiddenAddressError: the address may not be called.
        """
        address = address.rstrip("/")
        known = self._known.setdefault(address, _Known())
        self._known.move_to_end(address)
        while len(self._known) > _ADDRESSES_KEPT:
            self._known.popitem(last=False)
        async with known.asking:
            if self._monotonic() >= known.until:
                await self._learn(address, known)
        if known.other_versions is not None:
            raise UnsupportedVersionError(address=address, offered=known.other_versions)
        if known.unreachable:
            raise PeerUnavailableError(f"The version document of the counterparty at {address!r} cannot be read now.")
        return known.base

    async def _learn(self, address: str, known: _Known) -> None:
        root = address.removesuffix(f"/{VERSION}")
        known.base, known.other_versions, known.unreachable = address, None, False
        try:
            document = await self._document(root)
        except PeerUnavailableError as error:
            _log.info("a counterparty's version document cannot be read", extra={"reason": error.message})
            known.unreachable = root == address
            known.until = self._monotonic() + UNREACHABLE_KEPT_SECONDS
            return
        entries = document.readable() if document else []
        ours = next((entry for entry in entries if entry.version == VERSION), None)
        if ours is not None:
            known.base = root + ours.path.rstrip("/")
        elif document is not None:
            known.other_versions = tuple(entry.version for entry in entries)
        known.until = self._monotonic() + (KEPT_SECONDS if ours else NOTHING_KEPT_SECONDS)

    async def _document(self, root: str) -> _Document | None:
        """The document; None where there is none that can be understood.

        Raises:
            PeerUnavailableError: it cannot be reached now.
            ForbiddenAddressError: the address may not be called.
        """
        try:
            async with (
                asyncio.timeout(self._call_seconds),
                self._http.stream("GET", root + WELL_KNOWN) as response,
            ):
                if response.status_code in _PASSING:
                    raise PeerUnavailableError(f"It answered HTTP {response.status_code}.")
                body = await read_limited(response, max_bytes=DOCUMENT_MAX_BYTES)
        except httpx.InvalidURL as error:
            raise ForbiddenAddressError("The address of the counterparty is not a URL.") from error
        except (httpx.HTTPError, TimeoutError) as error:
            raise PeerUnavailableError(f"It does not answer ({type(error).__name__}).") from error
        try:
            return _Document.model_validate(parsed_object(body)) if response.status_code == _OK else None
        except (InvalidInputError, ValidationError):
            return None
