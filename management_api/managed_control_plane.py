"""What the management API needs of a control plane."""

from collections.abc import Mapping
from typing import Protocol

from control_plane.services.catalog_service import CatalogService
from control_plane.services.definition_service import DefinitionService
from control_plane.services.endpoint_data_references import EndpointDataReferenceService
from control_plane.services.negotiation_service import NegotiationService
from control_plane.services.transfer_process_service import TransferProcessService


class ManagedControlPlane(Protocol):
    """The use cases of one participant."""

    @property
    def participant_id(self) -> str:
        """The owner of everything that is managed here."""
        ...

    @property
    def transfers(self) -> TransferProcessService:
        """Transfer processes."""
        ...

    @property
    def endpoint_data_references(self) -> EndpointDataReferenceService:
        """What the data of running pulls is opened with."""
        ...

    @property
    def negotiations(self) -> NegotiationService:
        """Contract negotiations and agreements."""
        ...

    @property
    def catalog(self) -> CatalogService:
        """Catalogs of counterparties."""
        ...

    @property
    def definitions(self) -> DefinitionService:
        """Assets, policy definitions and contract definitions."""
        ...

    async def ready(self) -> Mapping[str, bool]:
        """Each component that must work before requests can be served, and whether it does."""
        ...
