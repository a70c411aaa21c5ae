"""Asset: data that this participant can offer, and where it lies."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connector_spi.data_address import DataAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """Public properties describe it in the catalog; private ones and the data address never leave this connector."""

    id: str
    participant_id: str
    properties: Mapping[str, Any] = field(default_factory=dict)
    private_properties: Mapping[str, Any] = field(default_factory=dict)
    data_address: DataAddress
    created_at: datetime
