"""A control plane with loop, SQL store and HTTP edges, between a scripted counterparty and a scripted data plane."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from connector_spi.clock import SystemClock
from control_plane.bootstrap import ControlPlane, build_control_plane
from control_plane.bootstrap.guards import PendingGuards
from control_plane.domain.contract_negotiation import NegotiationState, NegotiationType
from control_plane.domain.transfer_process import TransferProcessType
from control_plane.dsp_messages import PROTOCOL
from control_plane.services.transfer_process_service import TransferRequest
from control_plane.settings import (
    ControlPlaneSettings,
    DataPlaneEndpointSettings,
    IdentitySettings,
    OutboundSettings,
    TransferSettings,
)
from tests import control_plane_entities as examples
from tests.eventually import eventually
from tests.integration.control_plane.scripted_data_plane import ScriptedDataPlane, address
from tests.integration.control_plane.scripted_participant import THEM, ScriptedParticipant
from tests.serving import loopback_socket, serving
from vault_adapters.memory import InMemoryVault

US: Final = "did:web:us"
PULL, PUSH = "HttpData-PULL", "HttpData-PUSH"
CONSUMER, PROVIDER = TransferProcessType.CONSUMER, TransferProcessType.PROVIDER
SERVED: Final = address("https://w3id.org/idsa/v4.1/HTTP", "https://data.example/public", authorization="token-1")
INBOX: Final = address("HttpData", "https://inbox.example/in/", authorization="token-of-the-inbox")
TIMING: Final = TransferSettings(
    call_seconds=20,
    retry_base_seconds=0.05,
    retry_cap_seconds=0.2,
    status_check_seconds=60,
    restart_look_seconds=0.1,
)


class WaitsForTheTest:
    """A PendingGuard that lets no transfer start by itself."""

    def holds(self, _entity: object, /) -> bool:
        return True


@dataclass
class TransferStage:
    """One transfer at a time, in either role."""

    plane: ControlPlane
    peer: ScriptedParticipant
    data_plane: ScriptedDataPlane
    address: str
    secrets: dict[str, str]
    side: TransferProcessType = PROVIDER
    pid: str = ""
    """Our id of the newest transfer."""

    async def begin(self, side: TransferProcessType, transfer_type: str = PULL) -> None:
        """A transfer that was requested, and whose other side waits."""
        self.side = side
        self.peer.pid = f"urn:uuid:{uuid4()}"
        if side is PROVIDER:
            answer = await self.peer.request(
                self.address,
                consumerPid=self.peer.pid,
                agreementId="agreed-as-provider",
                format=transfer_type,
                **({"dataAddress": INBOX} if transfer_type == PUSH else {}),
            )
            assert answer.status_code == 201, answer.text
            self.pid = answer.json()["providerPid"]
            return
        request = TransferRequest(
            contract_id="agreed-as-consumer",
            counter_party_address=self.peer.url,
            protocol=PROTOCOL,
            transfer_type=transfer_type,
        )
        self.pid = (await self.plane.transfers.initiate(request)).id
        await self.internally("REQUESTED")

    async def reach(self, side: TransferProcessType, state: str, transfer_type: str = PULL) -> None:
        """A transfer in this state of the protocol, at rest on our side."""
        await self.begin(side, transfer_type)
        if state in {"STARTED", "SUSPENDED", "COMPLETED"}:
            await self.start()
        last = {"SUSPENDED": "suspension", "COMPLETED": "completion", "TERMINATED": "termination"}.get(state)
        if last is not None:
            assert (await self.say(last)).status_code == 200
            await self.internally(state)

    async def start(self) -> None:
        """The provider starts, whichever side that is."""
        if self.side is PROVIDER:
            await self.plane.transfers.start(self.pid)
        else:
            assert (await self.say("start", dataAddress=SERVED)).status_code == 200
        await self.internally("STARTED")

    async def say(self, name: str, **members: Any) -> Any:
        """The peer's message, under an id of its own where the test names none; our answer."""
        consumer, provider = (self.pid, self.peer.pid) if self.side is CONSUMER else (self.peer.pid, self.pid)
        facts = {"@id": f"urn:uuid:{uuid4()}", **members}
        return await self.peer.say(self.address, name, consumer=consumer, provider=provider, **facts)

    async def shown(self) -> str:
        """What we show the peer."""
        return str((await self.peer.ask(self.address, self.pid))["state"])

    async def shows(self, state: str) -> None:
        """Wait until we show this state."""

        async def is_shown() -> bool:
            return await self.shown() == state

        await eventually(is_shown, seconds=10)

    async def internally(self, state: str) -> None:
        """Wait until the process itself is in this state."""

        async def is_there() -> bool:
            return (await self.plane.transfers.get(self.pid)).state.name == state

        await eventually(is_there, seconds=10)

    async def heard(self, name: str, times: int = 1) -> None:
        """Wait until the peer was told this."""

        async def was_told() -> bool:
            return self.peer.messages().count(name) >= times

        await eventually(was_told, seconds=10)

    async def at_rest(self) -> None:
        """Wait until nothing waits for our loop."""

        async def is_empty() -> bool:
            found = await self.plane.stores.transfer_processes.find_with_inbox(self.pid)
            return found is not None and found[1] == ()

        await eventually(is_empty, seconds=10)


@asynccontextmanager
async def transfer_stage(folder: Path) -> AsyncIterator[TransferStage]:
    """Everything open; nothing requested yet."""
    protocol, signaling = loopback_socket(), loopback_socket()
    root, signaling_url = (f"http://127.0.0.1:{bound.getsockname()[1]}" for bound in (protocol, signaling))
    secrets: dict[str, str] = {}
    async with AsyncExitStack() as stack:
        peer = await stack.enter_async_context(ScriptedParticipant().open())
        data_plane = await stack.enter_async_context(ScriptedDataPlane().open())
        started = {"state": "STARTED", "dataAddress": SERVED}
        data_plane.answers = {"start": (200, started), "resume": (200, started)}
        settings = ControlPlaneSettings(
            participant_id=US,
            database_url=f"sqlite:///{folder}/control-plane.db",
            protocol_url=root,
            signaling_url=signaling_url,
            data_planes=(
                DataPlaneEndpointSettings(
                    id="plane", url=data_plane.url, transfer_types=(PULL, PUSH), token_alias=None, shares_vault=False
                ),
            ),
            identity=IdentitySettings(mode="client-id", allow_insecure_client_id=True),
            outbound=OutboundSettings(allowed_networks=("127.0.0.0/8",), allow_http=True),
            transfer=TIMING,
        )
        plane = await stack.enter_async_context(
            build_control_plane(
                settings,
                vault=InMemoryVault(secrets),
                clock=SystemClock(),
                guards=PendingGuards(transfers=WaitsForTheTest()),
            )
        )
        await _seed(plane)
        await stack.enter_async_context(serving(plane.signaling_app, signaling))
        await stack.enter_async_context(serving(plane.protocol_app, protocol))
        yield TransferStage(plane, peer, data_plane, f"{root}/2025-1", secrets)


async def _seed(plane: ControlPlane) -> None:
    await plane.definitions.create_asset(examples.asset(participant_id=US))
    for name, provider, consumer in (("agreed-as-provider", US, THEM), ("agreed-as-consumer", THEM, US)):
        agreement = examples.agreement(
            name, participant_id=US, provider_id=provider, consumer_id=consumer, negotiation_id=f"negotiated-{name}"
        )
        negotiation = examples.negotiation(
            agreement.negotiation_id,
            participant_id=US,
            type=NegotiationType.PROVIDER if provider == US else NegotiationType.CONSUMER,
            state=NegotiationState.FINALIZED,
            counter_party_id=THEM,
            correlation_id=f"counterpart-of-{name}",
            agreement=agreement,
        )
        await plane.stores.contract_negotiations.create(negotiation, due_at=None)
