"""Ports for processes that are started a moment later."""

import os
import random
import socket
from itertools import cycle
from typing import Final

_PORTS: Final = range(20_000, 32_000)
"""None that a system gives to outgoing connections: one of them could take a port before its listener does."""
_SLICES: Final = 40
_OWN: Final = _PORTS[os.getpid() % _SLICES :: _SLICES]
"""Processes that run side by side, such as two workers of a test run, have consecutive ids, and so other ports."""
_CANDIDATES: Final = cycle(random.SystemRandom().sample(_OWN, len(_OWN)))
"""One order for the whole process, so that no port is handed out twice while its first taker has not bound it yet."""


def free_ports(count: int) -> list[int]:
    """Loopback ports that nobody listens on now."""
    found: list[int] = []
    while len(found) < count:
        port = next(_CANDIDATES)
        with socket.socket() as candidate:
            # As a server binds it: what an earlier listener left in TIME_WAIT does not count.
            candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                candidate.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
    return found
