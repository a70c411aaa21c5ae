"""Two participants with real control planes: SQLite files, real keys, HTTP over loopback."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from starlette.types import ASGIApp

from connector_cli.demo.ports import free_ports
from connector_spi.clock import Clock, SystemClock
from control_plane.bootstrap import ControlPlane, build_control_plane
from control_plane.domain.contract_negotiation import ContractNegotiation, NegotiationState
from control_plane.domain.participant import Counterparty
from control_plane.domain.policy import Policy
from control_plane.dsp_messages import PROTOCOL
from control_plane.services.negotiation_service import ContractRequest
from control_plane.settings import (
    ControlPlaneSettings,
    CounterpartySettings,
    DataPlaneEndpointSettings,
    IdentitySettings,
    NegotiationSettings,
    OutboundSettings,
    TransferSettings,
)
from tests import control_plane_entities as examples
from tests.eventually import eventually
from tests.serving import loopback_socket, serving
from tests.unit.control_plane.keys import KEY_ALIAS, key_of, private_pem, public_pem
from vault_adapters.memory import InMemoryVault

PROVIDER: Final = "did:web:provider"
CONSUMER: Final = "did:web:consumer"
TIMING: Final = TransferSettings(
    lease_seconds=2, call_seconds=1, retry_base_seconds=0.05, retry_cap_seconds=0.2, status_check_seconds=60
)


@dataclass
class Participant:
    """What stays of a participant when its control plane is down: its name, port, database and vault."""

    id: str
    folder: Path
    knows: dict[str, str]
    """Counterparty -> the name whose key it is believed to have."""
    signs_as: str = ""
    secrets: dict[str, str] = field(default_factory=dict)
    data_planes: tuple[DataPlaneEndpointSettings, ...] = ()
    timing: TransferSettings = TIMING
    negotiation: NegotiationSettings = field(default_factory=NegotiationSettings)
    clock: Clock = field(default_factory=SystemClock)
    identity: IdentitySettings = field(default_factory=IdentitySettings)
    behind: Callable[[ASGIApp], ASGIApp] = lambda app: app
    """What stands before its Dataspace Protocol address."""

    def __post_init__(self) -> None:
        self.secrets[KEY_ALIAS] = private_pem(key_of(self.signs_as or self.id))
        self.port, self.signaling_port = free_ports(2)

    @property
    def address(self) -> str:
        """Its Dataspace Protocol address."""
        return f"http://127.0.0.1:{self.port}/2025-1"

    @property
    def signaling_url(self) -> str:
        """Where its data planes call back."""
        return f"http://127.0.0.1:{self.signaling_port}"

    def settings(self) -> ControlPlaneSettings:
        """Its configuration."""
        return ControlPlaneSettings(
            participant_id=self.id,
            database_url=f"sqlite:///{self.folder}/{self.port}.db",
            protocol_url=f"http://127.0.0.1:{self.port}",
            signaling_url=self.signaling_url,
            data_planes=self.data_planes,
            identity=self.identity,
            counterparties=tuple(
                CounterpartySettings(id=peer, public_key=public_pem(key_of(name))) for peer, name in self.knows.items()
            ),
            outbound=OutboundSettings(allowed_networks=("127.0.0.0/8",), allow_http=True),
            transfer=self.timing,
            negotiation=self.negotiation,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[ControlPlane]:
        """Its control plane at work, and reachable."""
        bound, signaling = loopback_socket(self.port), loopback_socket(self.signaling_port)
        vault = InMemoryVault(self.secrets)
        async with (
            build_control_plane(self.settings(), vault=vault, clock=self.clock) as plane,
            serving(self.behind(plane.protocol_app), bound),
            serving(plane.signaling_app, signaling),
        ):
            yield plane


async def offer(plane: ControlPlane, policy: Policy = examples.USE, **asset: Any) -> None:
    """The provider's asset, with these facts, under a policy that everybody sees."""
    definitions = plane.definitions
    facts = {"properties": {"name": "An asset"}, **asset}
    await definitions.create_asset(examples.asset(participant_id=PROVIDER, **facts))
    for name, rules in (("access", examples.USE), ("contract", policy)):
        await definitions.create_policy(examples.policy_definition(name, participant_id=PROVIDER, policy=rules))
    await definitions.create_contract_definition(examples.contract_definition(participant_id=PROVIDER))


async def offered(plane: ControlPlane, address: str) -> dict[str, Any]:
    """The only dataset in the provider's catalog."""
    catalog = await plane.catalog.request_catalog(Counterparty(id=PROVIDER, address=address))
    [dataset] = catalog.body["dataset"]
    found: dict[str, Any] = dataset
    return found


async def negotiate(
    plane: ControlPlane, address: str, *, offer_id: str, name: str = "n-1", policy: Policy = examples.USE
) -> None:
    """Begin a negotiation as the consumer."""
    await plane.negotiations.initiate(
        ContractRequest(
            id=name,
            counter_party_id=PROVIDER,
            counter_party_address=address,
            protocol=PROTOCOL,
            offer_id=offer_id,
            asset_id="asset-1",
            policy=policy,
        )
    )


async def reached(plane: ControlPlane, state: NegotiationState, name: str = "n-1") -> ContractNegotiation:
    """The negotiation, once it is in this state."""

    async def is_there() -> bool:
        return (await plane.negotiations.get(name)).state is state

    await eventually(is_there, seconds=20)
    return await plane.negotiations.get(name)


async def acknowledged(plane: ControlPlane, name: str = "n-1") -> str:
    """The provider's id of the negotiation, once the provider has taken it."""

    async def is_known() -> bool:
        return (await plane.negotiations.get(name)).correlation_id is not None

    await eventually(is_known, seconds=20)
    return (await plane.negotiations.get(name)).correlation_id or ""
