"""The endpoints of the Dataspace Protocol's application, read from itself: what is added to it is tested too."""

import warnings
from functools import cache

from fastapi.openapi.utils import get_openapi

from tests.unit.control_plane.protocol_rig import ProtocolRig


@cache
def templates(method: str) -> tuple[str, ...]:
    """Paths that take this method (in small letters), below the version's path, with {pid} and {name} in them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of ids that are given twice; nobody reads this document
        document = get_openapi(title="", version="", routes=ProtocolRig().app.routes)
    found = [path for path, methods in document["paths"].items() if method in methods]
    return tuple(path.removeprefix("/2025-1/") for path in found)


def examples_of(method: str) -> tuple[str, ...]:
    """The same, about things that there are not."""
    names = ("start", "completion", "suspension", "termination")
    spread = [path.replace("{name}", name) for path in templates(method) for name in names]
    return tuple(dict.fromkeys(path.format(pid="x", dataset_id="x") for path in spread))
