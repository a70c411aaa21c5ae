"""What the version document of the Dataspace Protocol tells."""

from control_plane.protocol_api.versions import VersionEntry
from control_plane.settings import ProtocolMetadataSettings


def version_entry(settings: ProtocolMetadataSettings) -> VersionEntry:
    """The one version that is served, with what the operator tells of it."""
    return VersionEntry(
        service_id=settings.service_id,
        identifier_type=settings.identifier_type,
        auth=settings.auth.model_dump(mode="json", exclude_defaults=True) if settings.auth else None,
    )
