"""A connector of ours as the kit of the Dataspace Protocol wants it: seeded, scripted, and with two triggers.

Control plane and data plane are the product's, over SQLite and HTTP. What is plugged in through public seams: the guard
that leaves every decision to the scripts, and their player.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connector_spi.clock import SystemClock
from control_plane.bootstrap import build_control_plane
from control_plane.bootstrap.guards import PendingGuards
from control_plane.dsp_messages import VERSION
from control_plane.settings import (
    ControlPlaneSettings,
    DataPlaneEndpointSettings,
    IdentitySettings,
    OutboundSettings,
)
from data_plane.bootstrap import build_data_plane
from data_plane.settings import DataPlaneSettings
from tests.serving import loopback_socket, serving
from tests.tck.control_plane_under_test import US
from tests.tck.dsp_script_player import ScriptPlayer, Waits
from tests.tck.dsp_seed import TRANSFERRED, seed
from tests.tck.dsp_triggers import triggers
from vault_adapters.memory import InMemoryVault

TRANSFER_TYPE: Final = "HttpData-PULL"
_TOKEN: Final = {"signaling-token": "token-of-the-data-plane"}


@dataclass(frozen=True, slots=True)
class ConnectorUnderTest:
    """Where the kit reaches it."""

    root_url: str
    """Below it are the version document and the versions."""
    triggers_url: str

    @property
    def protocol_url(self) -> str:
        """The version that the kit speaks."""
        return f"{self.root_url}/{VERSION}"


@asynccontextmanager
async def connector_under_test(folder: Path) -> AsyncIterator[ConnectorUnderTest]:
    """The connector, at work as long as this is open; its databases and files go to `folder`."""
    protocol, signaling, for_triggers, data_plane = (loopback_socket() for _ in range(4))
    root_url, signaling_url, triggers_url, data_plane_url = (
        f"http://127.0.0.1:{bound.getsockname()[1]}" for bound in (protocol, signaling, for_triggers, data_plane)
    )
    vault = InMemoryVault(_TOKEN)
    async with AsyncExitStack() as stack:
        serving_pulls = await stack.enter_async_context(
            build_data_plane(_data_plane_settings(folder, data_plane_url, signaling_url), vault=vault)
        )
        plane = await stack.enter_async_context(
            build_control_plane(
                _settings(folder, root_url, signaling_url, data_plane_url),
                vault=vault,
                clock=SystemClock(),
                guards=PendingGuards(negotiations=Waits(), transfers=Waits()),
            )
        )
        await seed(plane)
        for app, bound in (
            (serving_pulls.app, data_plane),
            (plane.signaling_app, signaling),
            (plane.protocol_app, protocol),
            (triggers(plane), for_triggers),
        ):
            await stack.enter_async_context(serving(app, bound))
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        stack.callback(tasks.create_task(ScriptPlayer(plane).play()).cancel)
        yield ConnectorUnderTest(root_url=root_url, triggers_url=triggers_url)


def _settings(folder: Path, root_url: str, signaling_url: str, data_plane_url: str) -> ControlPlaneSettings:
    return ControlPlaneSettings(
        participant_id=US,
        database_url=f"sqlite:///{folder}/control-plane.db",
        protocol_url=root_url,
        signaling_url=signaling_url,
        data_planes=(DataPlaneEndpointSettings(id="pulls", url=data_plane_url, transfer_types=(TRANSFER_TYPE,)),),
        identity=IdentitySettings(mode="client-id", allow_insecure_client_id=True),
        outbound=OutboundSettings(allowed_networks=("127.0.0.0/8",), allow_http=True),
    )


def _data_plane_settings(folder: Path, own_url: str, signaling_url: str) -> DataPlaneSettings:
    """It serves one file to whoever has a pull's token."""
    outbox = folder / "outbox"
    outbox.mkdir()
    (outbox / TRANSFERRED).write_text("what the kit never fetches\n")
    return DataPlaneSettings(
        database_url=f"sqlite:///{folder}/data-plane.db",
        control_plane_url=signaling_url,
        local_file_root=str(outbox),
        public_url=own_url,
    )
