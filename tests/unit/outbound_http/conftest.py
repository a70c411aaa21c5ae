"""Names that resolve as a test says, and what may be called in tests."""

import socket
from typing import Any, Final

import pytest

from connector_spi.outbound_addresses import OutboundAddressPolicy

LOOPBACK: Final = ("127.0.0.0/8", "::1/128")
OPEN: Final = OutboundAddressPolicy(allowed_networks=LOOPBACK, allow_http=True)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What a name resolves to, for this test; the machine's own resolver answers for every other name."""
    table: dict[str, list[str]] = {}
    asked = socket.getaddrinfo

    def resolve(host: str, port: int, *args: Any, **kwargs: Any) -> list[Any]:
        found = table.get(host)
        if found is None:
            return list(asked(host, port, *args, **kwargs))
        return [entry for address in found for entry in asked(address, port, type=socket.SOCK_STREAM)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return table
