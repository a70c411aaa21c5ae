"""HttpDataAddress: what a DataAddress of type HttpData says, read and checked.

Property names are EDC's where EDC has them (`baseUrl`, `path`, `queryParams`, `method`, `contentType`, `name`,
`header:<name>`, `secretName`). A credential is never a property: it comes as `secret`, or as the `authorization` of
Data Plane Signaling's http profile, and rests in the vault; `authHeader` (default: Authorization) and `authType`
(`bearer`, or nothing) say how it is sent.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, quote, unquote

from yarl import URL

from connector_spi.data_address import KEY_NAME, SECRET, DataAddress
from connector_spi.errors import ForbiddenAddressError, InvalidInputError
from connector_spi.outbound_addresses import OutboundAddressPolicy

HTTP_DATA: Final = "HttpData"

_HEADER_PREFIX: Final = "header:"
_AUTHORIZATION_ALIAS: Final = "authorizationKeyName"
"""Where the `authorization` of Data Plane Signaling's http profile rests."""
_OF_PULL: Final = frozenset({"refreshTokenKeyName", "refreshTokenType", "refreshEndpoint", "expiresIn"})
"""What a pull's address says of its token's renewal; kept, not used for a request."""
_COMMON: Final = (
    _OF_PULL
    | {_AUTHORIZATION_ALIAS}
    | {"baseUrl", "path", "queryParams", "method", "name", "authHeader", "authType", KEY_NAME}
)
_OF_DESTINATION: Final = frozenset({"contentType", "overwrite"})
_WITHOUT_EFFECT: Final = frozenset(
    {"type", "endpointType", "nonChunkedTransfer", "proxyPath", "proxyQueryParams", "proxyBody", "proxyMethod"}
)
"""Of EDC's, and dropped: in a push nothing is proxied, and no body is sent chunked."""
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_SECRET_LIKE: Final = re.compile(r"(?i)auth|cookie|credential|key|passw|pwd|secret|\bsig|signature|token|^code$")
_OURS: Final = re.compile(
    r"(?i)host|content-.*|transfer-encoding|accept-encoding|connection|keep-alive|upgrade|te|trailer|expect|range"
    r"|if-.*|proxy-.*"
)
"""Headers that frame a request, or that this data plane sets itself."""


@dataclass(frozen=True, slots=True)
class HttpDataAddress:
    """Where to read or write over HTTP."""

    url: URL
    """As it goes on the wire; without a credential."""
    method: str
    name: str
    headers: Mapping[str, str] = field(default_factory=dict)
    auth_header: str = "Authorization"
    is_bearer: bool = False
    key_name: str = ""
    content_type: str = ""
    may_overwrite: bool = True

    @classmethod
    def of_source(cls, address: DataAddress) -> "HttpDataAddress":
        """Where to read one object: always by GET.

        Raises:
            InvalidInputError: names the property.
        """
        return cls._of(address, _COMMON, methods=("GET",))

    @classmethod
    def of_destination(cls, address: DataAddress) -> "HttpDataAddress":
        """Where to write, by PUT or POST.

        An address that ends with a slash is a folder, to which the names of the objects are added; any other is the
        address of one object.

        Raises:
            InvalidInputError: names the property.
        """
        return cls._of(address, _COMMON | _OF_DESTINATION, methods=("PUT", "POST"))

    @property
    def is_folder(self) -> bool:
        """Whether names are added to the address."""
        return self.url.raw_path.endswith("/")

    @property
    def resource(self) -> str:
        """The address for humans: without its query."""
        return str(self.url.with_query(None))

    def url_of(self, name: str) -> URL:
        """The address of the object of this name."""
        if not self.is_folder:
            return self.url
        text = str(self.url.with_query(None)) + quote(name, safe="/")
        query = f"?{self.url.raw_query_string}" if self.url.raw_query_string else ""
        return URL(text + query, encoded=True)

    def authorized(self, secret: str) -> dict[str, str]:
        """The headers of each request; `secret` is empty where the address names none.

        Raises:
            InvalidInputError: the secret cannot be a header's value; it is not shown.
        """
        if not secret:
            return dict(self.headers)
        value = secret.strip()
        if not (value.isascii() and value.isprintable()):
            raise InvalidInputError(
                field=KEY_NAME, value=self.key_name, problem="names a secret that cannot be sent as a header"
            )
        return {**self.headers, self.auth_header: f"Bearer {value}" if self.is_bearer else value}

    @classmethod
    def _of(cls, address: DataAddress, known: frozenset[str], *, methods: tuple[str, ...]) -> "HttpDataAddress":
        kept = kept_address(address, known)
        method = kept.get("method", methods[0]).upper()
        if method not in methods:
            raise _refused("method", method, f"is not {' or '.join(methods)}")
        auth_type = kept.get("authType").lower()
        if auth_type not in {"", "bearer"}:
            raise _refused("authType", auth_type, "is not known", "Use bearer, or leave it out.")
        url = _url(kept)
        return cls(
            url=url,
            method=method,
            name=kept.get("name") or unquote(url.raw_path.rstrip("/").rpartition("/")[2]) or "data",
            headers=_headers(kept),
            auth_header=_token("authHeader", kept.get("authHeader", "Authorization")),
            is_bearer=auth_type == "bearer",
            key_name=kept.get(KEY_NAME) or kept.get(_AUTHORIZATION_ALIAS),
            content_type=kept.get("contentType"),
            may_overwrite=_flag(kept, "overwrite"),
        )


def accepted_source(address: DataAddress, policy: OutboundAddressPolicy) -> DataAddress:
    """The address as it is kept.

    Raises:
        InvalidInputError: names the property.
    """
    return _checked(address, HttpDataAddress.of_source(address), _COMMON, policy)


def accepted_destination(address: DataAddress, policy: OutboundAddressPolicy) -> DataAddress:
    """The address as it is kept.

    Raises:
        InvalidInputError: names the property.
    """
    return _checked(address, HttpDataAddress.of_destination(address), _COMMON | _OF_DESTINATION, policy)


def kept_address(address: DataAddress, known: frozenset[str]) -> DataAddress:
    """The address without what has no effect, in our own words.

    Raises:
        InvalidInputError: a property is not known: leaving it out could change what is meant.
    """
    properties = {name: value for name, value in address.properties.items() if name not in _WITHOUT_EFFECT}
    for name, ours in (("endpoint", "baseUrl"), ("secretName", KEY_NAME)):
        value = properties.pop(name, "")
        if value:
            properties.setdefault(ours, value)
    for name in properties:
        if name not in known and name != SECRET and not name.startswith(_HEADER_PREFIX):
            raise _refused(
                name, "...", "is not understood by HttpData", f"Known: {', '.join(sorted(known))}, header:*."
            )
    return DataAddress(address.type, properties)


def _checked(
    address: DataAddress, parsed: HttpDataAddress, known: frozenset[str], policy: OutboundAddressPolicy
) -> DataAddress:
    try:
        policy.check_url(str(parsed.url))
    except ForbiddenAddressError as error:
        raise _refused("baseUrl", parsed.resource, "is not allowed", error.message) from error
    return kept_address(address, known)


def _url(address: DataAddress) -> URL:
    base = address.get("baseUrl")
    if not base or any(mark in base for mark in "?#\\") or "@" in base.partition("://")[2].partition("/")[0]:
        shown = base.partition("?")[0] if "@" not in base else "..."
        raise _refused(
            "baseUrl",
            shown,
            "is missing, or has a user, a query, a fragment or a backslash",
            "Write the query as queryParams, a credential as secret.",
        )
    path = address.get("path").lstrip("/")
    if any(mark in path for mark in "?#\\"):
        raise _refused("path", path, "holds a question mark, a hash or a backslash", "Percent-encode it.")
    try:
        whole = URL(f"{base.rstrip('/')}/{path}" if path else base)
    except ValueError as error:
        raise _refused("baseUrl", base, "is not a URL") from error
    if not whole.raw_host or whole.scheme not in {"http", "https"}:
        raise _refused("baseUrl", base, "is not an absolute http or https address")
    return URL(str(whole) + _query(address), encoded=True)


def _query(address: DataAddress) -> str:
    text = address.get("queryParams").lstrip("?")
    for name, _ in parse_qsl(text, keep_blank_values=True):
        if _SECRET_LIKE.search(name):
            raise _refused(f"queryParams.{name}", "...", "looks like a secret", "Secrets go into a header: use secret.")
    if not text:
        return ""
    return "?" + quote(text, safe="=&%+:/?,;@!$'()*~-._")


def _headers(address: DataAddress) -> dict[str, str]:
    headers = {}
    for name, value in address.properties.items():
        if not name.startswith(_HEADER_PREFIX):
            continue
        header = _token(name, name.removeprefix(_HEADER_PREFIX))
        if _SECRET_LIKE.search(header):
            raise _refused(name, "...", "looks like a secret", "Send the value as secret, the name as authHeader.")
        if _OURS.fullmatch(header):
            raise _refused(name, "...", "is a header that the data plane sets itself")
        if not (value.isascii() and value.isprintable()):
            raise _refused(name, value, "is not printable ASCII")
        headers[header] = value
    return headers


def _token(field_name: str, header: str) -> str:
    if not _TOKEN.fullmatch(header) or (field_name == "authHeader" and _OURS.fullmatch(header)):
        raise _refused(field_name, header, "is not the name of a header that can be set here")
    return header


def _flag(address: DataAddress, name: str) -> bool:
    text = address.get(name, "true").lower()
    if text not in {"true", "false"}:
        raise _refused(name, text, "is neither true nor false")
    return text == "true"


def _refused(name: str, value: object, problem: str, remedy: str = "") -> InvalidInputError:
    return InvalidInputError(field=name, value=value, problem=problem, remedy=remedy)
