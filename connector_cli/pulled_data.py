"""Downloads what a running pull serves, with the address that the management API gave (an EDR)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import quote

import httpx

from azure_storage.sas import SasToken
from connector_spi.data_address import AZURE_STORAGE, SECRET
from connector_spi.errors import PermanentError
from data_plane.services.public_reads import LISTING_TYPE

_SHOWN: Final = ("type", "endpoint", "authType", "expiresIn", "expiresAt", "account", "container", "blobName")
_PART: Final = ".part"
_SECONDS: Final = 60.0


class FetchError(PermanentError):
    """The provider did not give the data, or it cannot be stored here."""

    code = "Fetch"
    cause = "the provider did not give the data, or it cannot be stored here"
    remedy = (
        "Look whether the transfer still runs (`connector status ID`) and its token is fresh (`connector address "
        "ID`); then check the folder's room and rights."
    )


@dataclass(frozen=True, slots=True)
class PulledObject:
    """One file to be: its name below the folder, and where it is read."""

    name: str
    url: str = field(repr=False)
    """Opens the object, and may hold a signature."""
    etag: str = ""


def shown_address(address: dict[str, Any]) -> dict[str, Any]:
    """What of an address everybody may see: never a token or a signature."""
    return {name: address[name] for name in _SHOWN if address.get(name)}


class PulledData:
    """The objects behind the address of a pull.

    Every method raises FetchError; SasMalformedError when the provider's signature is none.
    """

    def __init__(self, address: dict[str, Any], *, single_name: str) -> None:
        """`single_name`: the file's name when the address serves one object and does not name it."""
        self._address = address
        self._single_name = single_name
        token = address.get("authorization")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.AsyncClient(headers=headers, timeout=_SECONDS, trust_env=False)

    async def fetch(self, folder: Path) -> AsyncIterator[tuple[str, int]]:
        """Write each object below the folder, never over a file; yields its name and size once it is whole."""
        async with self._http:
            async for found in self._objects():
                place = place_below(folder, found.name)
                yield found.name, await self._written(found, place)

    async def _objects(self) -> AsyncIterator[PulledObject]:
        endpoint = str(self._address.get("endpoint") or "")
        if not endpoint.startswith(("http://", "https://")):
            raise FetchError("The provider's address names no endpoint that can be read over HTTP.")
        if self._address.get("type") == AZURE_STORAGE:
            signed = SasToken.from_secret(self._address.get(SECRET, "")).applied_to(endpoint)
            yield PulledObject(self._address.get("blobName") or self._single_name, signed.secret_text())
            return
        after = ""
        while True:
            listing = await self._listing(endpoint, after)
            if listing is None:
                yield PulledObject(self._single_name, endpoint)
                return
            for found in listing["objects"]:
                yield PulledObject(found["name"], endpoint + quote(found["name"], safe="/"), found.get("etag") or "")
            after = listing.get("next") or ""
            if not after:
                return

    async def _listing(self, endpoint: str, after: str) -> dict[str, Any] | None:
        """One page of names; None when the endpoint is an object itself."""
        try:
            async with self._http.stream("GET", endpoint, params={"after": after} if after else None) as answer:
                _check(answer)
                if answer.headers.get("content-type", "").partition(";")[0] != LISTING_TYPE:
                    return None
                await answer.aread()
                page: dict[str, Any] = answer.json()
                return page
        except httpx.HTTPError as error:
            raise _unreachable(error) from error

    async def _written(self, found: PulledObject, place: Path) -> int:
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_name(place.name + _PART)
        headers = {"If-Match": found.etag, "Accept-Encoding": "identity"} if found.etag else {}
        size = 0
        try:
            async with self._http.stream("GET", found.url, headers=headers) as answer:
                _check(answer)
                with part.open("wb") as file:
                    async for chunk in answer.aiter_raw():
                        size += file.write(chunk)
        except httpx.HTTPError as error:
            raise _unreachable(error) from error
        except OSError as error:
            raise FetchError(f"{part} cannot be written: {error.strerror}.") from error
        part.rename(place)
        return size


def place_below(folder: Path, name: str) -> Path:
    """Where an object of this name goes; the provider chose the name.

    Raises:
        FetchError: the name leads elsewhere, or a file is there already.
    """
    parts = name.split("/")
    if not all(parts) or {".", ".."} & set(parts) or "\\" in name or not name.isprintable():
        raise FetchError(f"The provider's name {name!r} is not one of a file below {folder}.")
    place = folder.joinpath(*PurePosixPath(name).parts)
    if not place.resolve().is_relative_to(folder.resolve()):
        raise FetchError(f"The provider's name {name!r} leads out of {folder}.")
    if place.exists():
        raise FetchError(f"{place} is there already, and nothing is overwritten. Choose another folder.")
    return place


def _check(answer: httpx.Response) -> None:
    if answer.status_code != HTTPStatus.OK:
        text = f"The provider answered {answer.status_code}"
        hint = " (the address is used up: ask for it again)" if answer.status_code in {401, 403} else ""
        raise FetchError(f"{text}{hint}.")


def _unreachable(error: httpx.HTTPError) -> FetchError:
    return FetchError(f"The provider's endpoint did not give everything ({type(error).__name__}).")
