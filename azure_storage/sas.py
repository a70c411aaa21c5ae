"""A shared access signature as a value, and its form in a vault.

The vault form is EDC's AzureSasToken, so that a stock EDC connector can use what we send, and we what it sends.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

from azure_storage.errors import SasMalformedError

EDC_SAS_TYPE: Final = "dataspaceconnector:azuretoken"
MAX_SAS_LENGTH: Final = 4096
_CHARACTERS: Final = re.compile(r"[A-Za-z0-9%&=._~:/+,\-]+")
_PARAMETER: Final = re.compile(r"s[a-z]{1,6}|rs(cc|cd|ce|cl|ct)")
"""Parameter names of a SAS. Others (`comp`, `restype`, ...) would change what a request does, so they are refused."""


@dataclass(frozen=True, slots=True, repr=False)
class SasToken:
    """The query of a signed URL (no leading `?`) and when it ends; its repr shows no signature."""

    query: str
    expires_at: datetime | None = None

    def __repr__(self) -> str:
        return f"SasToken(permissions={self.permissions!r}, expires_at={self.expires_at}, sig=***)"

    @property
    def permissions(self) -> str:
        """Letters of what the token allows, such as `w`; empty when a stored access policy holds them."""
        return parse_qs(self.query).get("sp", [""])[0]

    @property
    def starts_at(self) -> datetime | None:
        """When it begins to hold, as far as the token says so itself and says it well."""
        stated = parse_qs(self.query).get("st", [""])[0]
        try:
            return _utc(stated) if stated else None
        except ValueError:
            return None

    def applied_to(self, url: str) -> "SignedUrl":
        """The URL (without a query) with this signature."""
        return SignedUrl(url, self)

    def to_secret(self) -> str:
        """What the vault keeps: EDC's JSON with all three members."""
        expiration = int(self.expires_at.timestamp() * 1000) if self.expires_at else None
        members = {"edctype": EDC_SAS_TYPE, "sas": f"?{self.query}", "expiration": expiration}
        return json.dumps({name: value for name, value in members.items() if value is not None})

    @classmethod
    def from_secret(cls, text: str) -> "SasToken":
        """Read EDC's JSON with any subset of its members (`sas` is needed), or a bare query.

        Raises:
            SasMalformedError: it is neither, or holds what is no part of a signature. Never shows the value.
        """
        text = text.strip()
        members = _members(text) if text.startswith("{") else {"sas": text}
        sas = members.get("sas")
        if not isinstance(sas, str):
            raise SasMalformedError(problem="the member 'sas' is missing or not a text")
        query = sas.strip().removeprefix("?")
        _check_query(query)
        return cls(query, _expiration(members.get("expiration"), query))


@dataclass(frozen=True, slots=True)
class SignedUrl:
    """A URL and the signature that opens it. Its repr and `resource` are safe to show; `secret_text` is not."""

    url: str
    token: SasToken

    @property
    def resource(self) -> str:
        """The decoded path (account, container, blob), for messages."""
        return unquote(urlsplit(self.url).path).lstrip("/")

    def secret_text(self, query: str = "") -> str:
        """The whole URL, with more query parameters when given. For the request alone; never log or store it."""
        return f"{self.url}?{self.token.query}" + (f"&{query}" if query else "")


def _members(text: str) -> dict[str, Any]:
    try:
        members = json.loads(text)
    except ValueError:
        raise SasMalformedError(problem="it starts like JSON and is not") from None
    return members if isinstance(members, dict) else {}


def _check_query(query: str) -> None:
    if len(query) > MAX_SAS_LENGTH or not _CHARACTERS.fullmatch(query):
        raise SasMalformedError(problem="it is empty, too long, or holds characters that no signature has")
    names = [name for name, _ in parse_qsl(query, keep_blank_values=True)]
    if "sig" not in names or len(names) != len(set(names)):
        raise SasMalformedError(problem="it has no signature, or names a parameter twice")
    if not all(_PARAMETER.fullmatch(name) for name in names):
        raise SasMalformedError(problem="it holds a parameter that is no part of a signature")


def _expiration(epoch_ms: object, query: str) -> datetime | None:
    """The end that the query states itself, which the service goes by; else the member beside it.

    A signature that is bound to a stored access policy states none.
    """
    stated = parse_qs(query).get("se", [""])[0]
    try:
        if stated:
            return _utc(stated)
        if isinstance(epoch_ms, int | float):
            return datetime.fromtimestamp(epoch_ms / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        raise SasMalformedError(problem="its expiration is not a date") from None
    return None


def _utc(stated: str) -> datetime:
    """A date that is taken as UTC when it names no offset; ValueError when it is none."""
    date = datetime.fromisoformat(stated)
    return date if date.tzinfo else date.replace(tzinfo=UTC)
