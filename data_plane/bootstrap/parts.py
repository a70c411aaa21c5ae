"""What was opened for a data plane, and what its services share."""

from dataclasses import dataclass

import httpx

from connector_spi.clock import Clock
from connector_spi.vault import Vault
from data_plane.bootstrap.technologies import Technologies
from data_plane.ports.access_granter import AccessGranter
from data_plane.ports.control_plane_client import ControlPlaneClient
from data_plane.ports.control_plane_registry import ControlPlaneRegistry
from data_plane.ports.data_flow_store import DataFlowStore
from data_plane.ports.dataset_registry import DatasetRegistry
from data_plane.ports.destination_preparer import DestinationPreparer
from data_plane.ports.object_journal import ObjectJournal
from data_plane.ports.secret_ledger import SecretLedger
from data_plane.services.credential_intake import CredentialIntake
from data_plane.services.flow_readiness import FlowReadiness
from data_plane.services.inbox_grants import InboxGrants
from data_plane.services.profile_registry import ProfileRegistry
from data_plane.services.registry import FactoryRegistry


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The adapters behind the ports."""

    store: DataFlowStore
    journal: ObjectJournal
    registry: ControlPlaneRegistry
    ledger: SecretLedger
    control_plane: ControlPlaneClient
    technologies: Technologies
    profiles: ProfileRegistry
    preparers: FactoryRegistry[DestinationPreparer]
    granters: FactoryRegistry[AccessGranter]
    inboxes: InboxGrants
    datasets: DatasetRegistry
    guarded: httpx.AsyncClient
    """Calls addresses that came with a message."""
    plain: httpx.AsyncClient
    """Calls addresses that the operator wrote down."""
    vault: Vault
    clock: Clock

    @property
    def readiness(self) -> FlowReadiness:
        """What flows need before they are PREPARED or STARTED."""
        return FlowReadiness(
            profiles=self.profiles,
            preparers=self.preparers,
            granters=self.granters,
            inboxes=self.inboxes,
            vault=self.vault,
            clock=self.clock,
        )

    @property
    def intake(self) -> CredentialIntake:
        """The way of secrets into the vault."""
        return CredentialIntake(self.vault, self.store, self.ledger)
