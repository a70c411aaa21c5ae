"""Which addresses that an outsider chose may be called: the rule of the guarded HTTP client.

A counterparty names call-back addresses and storage endpoints. Calling them unchecked would let it reach what only
this machine can reach (server-side request forgery), so the scheme, the host and every resolved address are checked,
and the connection goes to the address that was checked.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from connector_spi.errors import ForbiddenAddressError

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class OutboundAddressPolicy:
    """What may be called.

    `allowed_hosts` (exact names, or `*.example.org`): when not empty, no other host is called. `allowed_networks`:
    private, loopback or otherwise special networks that may be called all the same. `allow_http`: whether plain
    http is accepted (development only).
    """

    allowed_hosts: tuple[str, ...] = ()
    allowed_networks: tuple[str, ...] = ()
    allow_http: bool = False

    def check_url(self, url: str) -> tuple[str, int]:
        """Check scheme and host; returns host and port for the resolver.

        Raises:
            ForbiddenAddressError: the address breaks the policy.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise ForbiddenAddressError("The address is not a URL, or its port is not a number up to 65535.") from error
        if parts.scheme != "https" and not (self.allow_http and parts.scheme == "http"):
            raise ForbiddenAddressError(f"The address scheme {parts.scheme!r} is not allowed; use https.")
        host = parts.hostname
        if not host or parts.username or parts.password:
            raise ForbiddenAddressError("The address has no host, or carries a user name or password.")
        if "%" in host or " " in url or not url.isprintable():
            raise ForbiddenAddressError("The address holds a character that no address holds.")
        if self.allowed_hosts and not any(_matches(host, pattern) for pattern in self.allowed_hosts):
            raise ForbiddenAddressError(f"The host {host!r} is not among the allowed hosts.")
        return host, port or (443 if parts.scheme == "https" else 80)

    def check_resolved(self, host: str, addresses: Sequence[str]) -> None:
        """Check every address that the host resolved to.

        Every resolved address must be allowed, so that a mixed answer cannot slip a private one in.

        Raises:
            ForbiddenAddressError: one of them is private, loopback, link-local or otherwise special, and not listed.
        """
        if not addresses:
            raise ForbiddenAddressError(f"The host {host!r} has no address.")
        networks: list[IpNetwork] = [ipaddress.ip_network(n) for n in self.allowed_networks]
        for text in addresses:
            address = _led_to(ipaddress.ip_address(text.split("%")[0]))
            if not _is_public(address) and not any(address in network for network in networks):
                raise ForbiddenAddressError(
                    f"The host {host!r} resolves to {address}, which is not a public address. "
                    "List its network under outbound.allowed_networks if that is intended."
                )


def _led_to(address: IpAddress) -> IpAddress:
    """The IPv4 address that an IPv6 address stands for (RFC 4291, 3056, 6052), else the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_public(address: IpAddress) -> bool:
    return address.is_global and not address.is_multicast


def _matches(host: str, pattern: str) -> bool:
    if pattern.startswith("*."):
        return host.endswith(pattern[1:])
    return host == pattern
