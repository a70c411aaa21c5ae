"""A control plane of ours as the conformance kit of Data Plane Signaling wants it: seeded, and open to the kit.

Everything the kit plays (the other participant, our data plane, its way of naming itself) is plugged in from outside;
the control plane is the product's, composed by `build_control_plane`.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from fastapi import FastAPI, Request

from connector_spi.clock import SystemClock
from control_plane.bootstrap import ControlPlane, build_control_plane
from control_plane.domain.contract_negotiation import NegotiationState, NegotiationType
from control_plane.dsp_messages import PROTOCOL
from control_plane.services.transfer_process_service import TransferRequest
from control_plane.settings import (
    ControlPlaneSettings,
    DataPlaneEndpointSettings,
    IdentitySettings,
    OutboundSettings,
    TransferSettings,
)
from tests.control_plane_entities import agreement, asset, negotiation
from tests.serving import loopback_socket, serving
from vault_adapters.memory import InMemoryVault

US: Final = "connector-under-test"
PROVIDER: Final = "providerId"
CONSUMER: Final = "consumerId"
"""What the kit calls itself."""
AS_CONSUMER: Final = "agreement-as-consumer"
AS_PROVIDER: Final = "agreement-as-provider"
TRANSFER_TYPE: Final = "HttpData-PULL"


@dataclass(frozen=True, slots=True)
class ControlPlaneUnderTest:
    """Where the kit reaches it."""

    plane: ControlPlane
    webhook_url: str
    protocol_url: str
    signaling_url: str


@asynccontextmanager
async def control_plane_under_test(
    kit_url: str, *, database_url: str = "memory://", call_seconds: float = 5
) -> AsyncIterator[ControlPlaneUnderTest]:
    """The control plane, at work as long as this is open. `kit_url`: where the kit plays its parts."""
    webhook, protocol, signaling = loopback_socket(), loopback_socket(), loopback_socket()
    webhook_url, protocol_url, signaling_url = (
        f"http://127.0.0.1:{bound.getsockname()[1]}" for bound in (webhook, protocol, signaling)
    )
    settings = ControlPlaneSettings(
        participant_id=US,
        database_url=database_url,
        protocol_url=protocol_url,
        signaling_url=signaling_url,
        strict_pids=False,
        data_planes=(
            DataPlaneEndpointSettings(
                id="kit",
                url=kit_url,
                transfer_types=(TRANSFER_TYPE, "HttpData-PUSH"),
                provision_with="data-plane",
                token_alias=None,
                shares_vault=False,
            ),
        ),
        identity=IdentitySettings(mode="client-id", allow_insecure_client_id=True),
        outbound=OutboundSettings(allowed_networks=("127.0.0.0/8", "::1/128"), allow_http=True),
        transfer=TransferSettings(call_seconds=call_seconds),
    )
    async with AsyncExitStack() as stack:
        plane = await stack.enter_async_context(
            build_control_plane(settings, vault=InMemoryVault(), clock=SystemClock())
        )
        await _seed(plane)
        for app, bound in (
            (_webhook(plane), webhook),
            (plane.protocol_app, protocol),
            (plane.signaling_app, signaling),
        ):
            await stack.enter_async_context(serving(app, bound))
        yield ControlPlaneUnderTest(plane, webhook_url, f"{protocol_url}/2025-1", signaling_url)


def _webhook(plane: ControlPlane) -> FastAPI:
    """What the kit begins a transfer with: POST /dataflows/trigger."""
    app = FastAPI()

    @app.post("/dataflows/trigger")
    async def trigger(request: Request) -> dict[str, str]:
        wanted = await request.json()
        process = await plane.transfers.initiate(
            TransferRequest(
                contract_id=wanted["agreementId"],
                counter_party_address=wanted["dspUrl"],
                protocol=PROTOCOL,
                transfer_type=TRANSFER_TYPE,
            )
        )
        return {"id": process.id}

    return app


async def _seed(plane: ControlPlane) -> None:
    """One asset, and one agreement about it for each role."""
    await plane.stores.assets.create(asset(participant_id=US))
    for agreement_id, kind, provider, consumer in (
        (AS_CONSUMER, NegotiationType.CONSUMER, PROVIDER, US),
        (AS_PROVIDER, NegotiationType.PROVIDER, US, CONSUMER),
    ):
        name = f"negotiation-of-{agreement_id}"
        agreed = agreement(
            agreement_id, participant_id=US, provider_id=provider, consumer_id=consumer, negotiation_id=name
        )
        finished = negotiation(
            name,
            participant_id=US,
            type=kind,
            state=NegotiationState.FINALIZED,
            counter_party_id=consumer if kind is NegotiationType.PROVIDER else provider,
            correlation_id=f"correlation-{agreement_id}",
            agreement=agreed,
        )
        await plane.stores.contract_negotiations.create(finished, due_at=None)
