"""What the kit of the Dataspace Protocol calls to have the connector under test ask for a contract, or for data."""

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from control_plane.bootstrap import ControlPlane
from control_plane.dsp_messages import PROTOCOL
from control_plane.services.negotiation_service import ContractRequest
from control_plane.services.transfer_process_service import TransferRequest
from tests.tck.dsp_scripts import USE


class NegotiationTrigger(BaseModel):
    """What the kit posts to have this connector ask for a contract."""

    model_config = ConfigDict(alias_generator=to_camel)

    provider_id: str
    offer_id: str
    dataset_id: str
    connector_address: str


class TransferTrigger(BaseModel):
    """What the kit posts to have this connector ask for data."""

    model_config = ConfigDict(alias_generator=to_camel)

    provider_id: str
    agreement_id: str
    format: str
    connector_address: str


def triggers(plane: ControlPlane) -> FastAPI:
    """POST /negotiations and /transfers: with these the kit begins the tests of a consumer."""
    app = FastAPI()

    @app.post("/negotiations")
    async def negotiate(wanted: NegotiationTrigger) -> dict[str, str]:
        request = ContractRequest(
            counter_party_id=wanted.provider_id,
            counter_party_address=wanted.connector_address,
            protocol=PROTOCOL,
            offer_id=wanted.offer_id,
            asset_id=wanted.dataset_id,
            policy=USE,
        )
        return {"id": (await plane.negotiations.initiate(request)).id}

    @app.post("/transfers")
    async def transfer(wanted: TransferTrigger) -> dict[str, str]:
        request = TransferRequest(
            contract_id=wanted.agreement_id,
            counter_party_address=wanted.connector_address,
            protocol=PROTOCOL,
            transfer_type=wanted.format,
        )
        return {"id": (await plane.transfers.initiate(request)).id}

    return app
