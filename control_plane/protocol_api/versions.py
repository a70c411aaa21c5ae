"""Which versions of the Dataspace Protocol are served here, told to everybody who asks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Request
from fastapi.responses import JSONResponse
from starlette.routing import Route

from control_plane.dsp_messages import VERSION

VERSION_PATH: Final = f"/{VERSION}"
WELL_KNOWN: Final = "/.well-known/dspace-version"


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionEntry:
    """What may be told of a version beside its place: how callers prove who they are, how participants are named."""

    service_id: str | None = None
    identifier_type: str | None = None
    auth: Mapping[str, Any] | None = None
    """Members `protocol`, `version` and, where there are any, `profile`."""

    def document(self, root_path: str = "") -> dict[str, Any]:
        """The version document. `root_path`: where the protocol's root is, below the place of the document."""
        optional = {"serviceId": self.service_id, "identifierType": self.identifier_type, "auth": self.auth}
        entry = {"version": VERSION, "path": root_path.rstrip("/") + VERSION_PATH, "binding": "HTTPS"}
        return {"protocolVersions": [entry | {name: value for name, value in optional.items() if value}]}


def version_route(entry: VersionEntry, root_path: str = "") -> Route:
    """The route of the version document (RFC 8615); needs no authentication."""
    document = entry.document(root_path)

    async def versions(_request: Request) -> JSONResponse:
        return JSONResponse(document)

    return Route(WELL_KNOWN, versions, methods=["GET"])
