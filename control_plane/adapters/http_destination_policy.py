"""DestinationPolicy for HTTP: where a consumer of an HttpData-PUSH transfer may have the data sent to."""

import ipaddress
from typing import Final

from connector_spi.data_address import SECRET, DataAddress
from connector_spi.errors import ForbiddenAddressError, InvalidInputError
from connector_spi.outbound_addresses import OutboundAddressPolicy

HTTP_DATA: Final = "HttpData"

_AUTHORIZATION: Final = "authorization"
_PASSED_ON: Final = ("path", "method", "authType", "authHeader", "contentType", "name", "overwrite", "transferNonce")
_VALUE_MAX: Final = 1024
_TOKEN_MAX: Final = 8192


class HttpDestinationPolicy:
    """The address may be called, and what opens it is a secret of its own. The data plane checks the rest."""

    def __init__(self, outbound: OutboundAddressPolicy) -> None:
        self._outbound = outbound

    def accept(self, address: DataAddress) -> DataAddress:
        """The endpoint and what is understood beside it; the token as `secret`, however it was called."""
        address = _in_our_words(address)
        endpoint = address.get("endpoint")
        self._check_endpoint(endpoint)
        for name in address.properties:
            if name == "queryParams" or name.startswith("header:"):
                raise _refused(name, "...", "is not passed on, for it could hold a secret", "Use authorization.")
        token = address.get(_AUTHORIZATION) or address.get(SECRET)
        if not token or len(token) > _TOKEN_MAX or not (token.isascii() and token.isprintable()):
            raise _refused(
                _AUTHORIZATION,
                "***",
                "is missing, or cannot be sent as a header",
                "Give the sender a token of its own.",
            )
        passed_on = {name: address.get(name)[:_VALUE_MAX] for name in _PASSED_ON if address.get(name)}
        return DataAddress(HTTP_DATA, {"endpoint": endpoint, **passed_on, SECRET: token})

    def _check_endpoint(self, endpoint: str) -> None:
        shown = endpoint.partition("?")[0]
        if not endpoint or any(mark in endpoint for mark in "?#\\@"):
            raise _refused(
                "endpoint",
                shown if "@" not in shown else "...",
                "is missing, or has a user, a query, a fragment or a backslash",
                "Write a plain https address.",
            )
        try:
            host, _ = self._outbound.check_url(endpoint)
            # A name is resolved and checked where it is called: by the data plane, at every connection.
            if _is_ip_address(host):
                self._outbound.check_resolved(host, [host])
        except ForbiddenAddressError as error:
            raise _refused("endpoint", shown, "is not allowed", error.message) from error


def _in_our_words(address: DataAddress) -> DataAddress:
    """EDC says `baseUrl`, which its sender calls by POST, and `authKey` and `authCode` for a header and its value."""
    words = dict(address.properties)
    base, header, token = (words.pop(name, "") for name in ("baseUrl", "authKey", "authCode"))
    if base and not words.get("endpoint"):
        words["endpoint"] = base
        words.setdefault("method", "POST")
    if token and not (words.get(_AUTHORIZATION) or words.get(SECRET)):
        words[SECRET] = token
        words.pop("authType", "")
        words["authHeader"] = header or "Authorization"
    return DataAddress(address.type, words)


def _is_ip_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _refused(name: str, value: str, problem: str, remedy: str) -> InvalidInputError:
    return InvalidInputError(field=f"dataAddress.{name}", value=value, problem=problem, remedy=remedy)
