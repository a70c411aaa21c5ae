"""What a blob that we publish says of itself in its metadata."""

from collections.abc import Mapping
from typing import Final

from azure_storage.metadata import percent_encoded
from data_plane.domain.data_flow import DataFlow
from data_plane.domain.object_copy import SourceObject

_LONGEST_ORIGINAL_NAME: Final = 2048
"""Bytes of the encoded name in the metadata, which has 8 KiB in all; a longer one is left out."""


def blob_metadata(flow: DataFlow, source: SourceObject, sha256: str) -> Mapping[str, str]:
    """The source's own metadata, and where the blob comes from; names are compared without regard to case."""
    ours = {"processId": flow.marker_process_id, "agreementId": flow.agreement_id}
    if sha256:
        ours["sha256"] = sha256
    original = percent_encoded(source.name)
    if len(original) <= _LONGEST_ORIGINAL_NAME:
        ours["originalName"] = original
    taken = {name.lower() for name in ours}
    return {**{name: value for name, value in source.metadata.items() if name.lower() not in taken}, **ours}
