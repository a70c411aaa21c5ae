"""What was opened for a data plane, and what its services share."""

from dataclasses import dataclass

from connector_spi.clock import Clock
from connector_spi.vault import Vault
from data_plane.bootstrap.technologies import Technologies
from data_plane.ports.control_plane_client import ControlPlaneClient
from data_plane.ports.data_flow_store import DataFlowStore
from data_plane.ports.object_journal import ObjectJournal


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The adapters behind the ports."""

    store: DataFlowStore
    journal: ObjectJournal
    control_plane: ControlPlaneClient
    technologies: Technologies
    vault: Vault
    clock: Clock
