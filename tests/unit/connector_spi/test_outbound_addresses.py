"""Which addresses of outsiders may be called."""

import pytest

from connector_spi.errors import ForbiddenAddressError
from connector_spi.outbound_addresses import OutboundAddressPolicy

STRICT = OutboundAddressPolicy()


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://a.example/x?y", ("a.example", 443)),
        ("HTTPS://A.Example:8443", ("a.example", 8443)),
        ("https://93.184.215.14", ("93.184.215.14", 443)),
        ("https://[2606:2800:21f::1]:1/", ("2606:2800:21f::1", 1)),
    ],
)
def test_an_https_address_is_taken_apart(url: str, found: tuple[str, int]) -> None:
    assert STRICT.check_url(url) == found


def test_http_is_for_development() -> None:
    assert OutboundAddressPolicy(allow_http=True).check_url("http://a.example") == ("a.example", 80)


@pytest.mark.parametrize(
    "url",
    [
        *("", "a.example", "//a.example", "http://a.example", "ftp://a.example", "file:/etc/passwd", "https://"),
        *("https:///x", "https://user@a.example", "https://u:p@a.example", "https://:p@a.example"),
        *("https://a.example:0x50", "https://a.example:65536", "https://a.example:-1"),
        *("https://[", "https://[::1", "https://]", "https://[x]", "https://ex\u2100mple.com"),
        *(
            "https://a b.example",
            "https://a%00.example",
            "https://[fe80::1%25eth0]/",
            "https://a.example/\n",
            "\0https://a",
        ),
        *("https://a\t.example", " https://a.example"),
    ],
)
def test_what_is_no_plain_https_address_is_refused(url: str) -> None:
    with pytest.raises(ForbiddenAddressError):
        STRICT.check_url(url)


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("a.example.org", True),
        ("b.a.example.org", True),
        ("exact.example", True),
        ("example.org", False),
        ("evil-example.org", False),
        ("a.example.org.evil.example", False),
        ("x.exact.example", False),
        ("exact.example.", False),
    ],
)
def test_only_listed_hosts_are_called_when_there_is_a_list(host: str, allowed: bool) -> None:
    policy = OutboundAddressPolicy(allowed_hosts=("*.example.org", "exact.example"))
    if allowed:
        assert policy.check_url(f"https://{host}/")[0] == host
    else:
        with pytest.raises(ForbiddenAddressError):
            policy.check_url(f"https://{host}/")


SPECIAL = [
    *("127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "0.0.0.0", "100.64.0.1"),  # noqa: S104
    *("224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1"),
    *(
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "2001:db8::1",
    ),
    # Addresses that lead to an IPv4 address inside them.
    *("64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::", "2002:a00:1::1", "2001:0:4136:e378:8000:63bf:80ff:fffe"),
]


@pytest.mark.parametrize("address", SPECIAL)
def test_special_addresses_are_refused(address: str) -> None:
    for addresses in ([address], ["93.184.215.14", address], [address, "93.184.215.14"]):
        with pytest.raises(ForbiddenAddressError, match="not a public address"):
            STRICT.check_resolved("a.example", addresses)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::5db8:d70e"])
def test_public_addresses_are_taken(address: str) -> None:
    STRICT.check_resolved("a.example", [address, "93.184.215.15"])


@pytest.mark.parametrize(
    ("network", "address", "allowed"),
    [
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.0.0.1", True),
        ("10.0.0.0/8", "192.168.0.1", False),
        ("127.0.0.0/8", "::ffff:127.0.0.1", True),
        ("127.0.0.0/8", "::1", False),
        ("::1/128", "::1", True),
    ],
)
def test_a_listed_network_may_be_called_and_no_other(network: str, address: str, allowed: bool) -> None:
    policy = OutboundAddressPolicy(allowed_networks=(network,))
    if allowed:
        policy.check_resolved("a.example", [address])
    else:
        with pytest.raises(ForbiddenAddressError):
            policy.check_resolved("a.example", [address])


def test_a_host_without_an_address_is_refused() -> None:
    with pytest.raises(ForbiddenAddressError, match="no address"):
        STRICT.check_resolved("a.example", [])
