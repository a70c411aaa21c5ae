"""What the routes depend on, taken from the app that serves them."""

from typing import Annotated

from fastapi import Depends, Request

from connector_spi.clock import Clock
from control_plane.services.catalog_service import CatalogService
from control_plane.services.definition_service import DefinitionService
from control_plane.services.endpoint_data_references import EndpointDataReferenceService
from control_plane.services.negotiation_service import NegotiationService
from control_plane.services.transfer_process_service import TransferProcessService
from management_api.managed_control_plane import ManagedControlPlane


def _control_plane(request: Request) -> ManagedControlPlane:
    control_plane: ManagedControlPlane = request.app.state.control_plane
    return control_plane


ControlPlane = Annotated[ManagedControlPlane, Depends(_control_plane)]


def _participant_id(control_plane: ControlPlane) -> str:
    return control_plane.participant_id


def _transfers(control_plane: ControlPlane) -> TransferProcessService:
    return control_plane.transfers


def _endpoint_data_references(control_plane: ControlPlane) -> EndpointDataReferenceService:
    return control_plane.endpoint_data_references


def _negotiations(control_plane: ControlPlane) -> NegotiationService:
    return control_plane.negotiations


def _catalog(control_plane: ControlPlane) -> CatalogService:
    return control_plane.catalog


def _definitions(control_plane: ControlPlane) -> DefinitionService:
    return control_plane.definitions


def _clock(request: Request) -> Clock:
    clock: Clock = request.app.state.clock
    return clock


ParticipantId = Annotated[str, Depends(_participant_id)]
Transfers = Annotated[TransferProcessService, Depends(_transfers)]
EndpointDataReferences = Annotated[EndpointDataReferenceService, Depends(_endpoint_data_references)]
Negotiations = Annotated[NegotiationService, Depends(_negotiations)]
Catalog = Annotated[CatalogService, Depends(_catalog)]
Definitions = Annotated[DefinitionService, Depends(_definitions)]
Now = Annotated[Clock, Depends(_clock)]
