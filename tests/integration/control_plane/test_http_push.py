"""HttpData-PUSH between two participants: the consumer's data plane opens an inbox, the provider's pushes into it.

Everything is real: control planes, data planes, signaling, HTTP and files.
"""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from connector_spi.data_address import DataAddress
from control_plane.bootstrap import ControlPlane
from control_plane.domain.contract_negotiation import NegotiationState
from control_plane.domain.transfer_process import TransferProcess
from control_plane.dsp_messages import PROTOCOL
from control_plane.services.transfer_process_service import TransferRequest
from control_plane.settings import DataPlaneEndpointSettings
from data_plane.bootstrap import build_data_plane
from data_plane.settings import DataPlaneSettings
from data_plane.settings import OutboundSettings as DataPlaneOutbound
from tests.eventually import eventually
from tests.integration.control_plane.participants import (
    CONSUMER,
    PROVIDER,
    Participant,
    negotiate,
    offer,
    offered,
    reached,
)
from tests.serving import loopback_socket, serving
from vault_adapters.memory import InMemoryVault

PUSH = "HttpData-PUSH"
TOKEN = "signaling-token"
LARGE = os.urandom(5 * 1024 * 1024 + 7)
FILES = {"large.bin": LARGE, "deep/small ü.txt": b"small", "empty": b""}


@dataclass
class Side:
    """One organisation at work."""

    plane: ControlPlane
    participant: Participant
    root: Path
    """What its data plane reads and writes."""
    data_plane_secrets: dict[str, str]


@asynccontextmanager
async def organisation(name: str, other: str, tmp_path: Path, *, prepares: bool) -> AsyncIterator[Side]:
    """Control plane and data plane of one participant."""
    folder = tmp_path / name.rpartition(":")[2]
    root = folder / "files"
    root.mkdir(parents=True)
    bound, secrets = loopback_socket(), {TOKEN: f"token-of-{name}"}
    url = f"http://127.0.0.1:{bound.getsockname()[1]}"
    endpoint = DataPlaneEndpointSettings(
        id="plane",
        url=url,
        transfer_types=(PUSH,),
        provision_with="data-plane" if prepares else "control-plane",
        shares_vault=False,
    )
    participant = Participant(name, folder, {other: other}, secrets={**secrets}, data_planes=(endpoint,))
    settings = DataPlaneSettings(
        database_url=f"sqlite:///{folder}/data-plane.db",
        control_plane_url=participant.signaling_url,
        local_file_root=str(root),
        outbound=DataPlaneOutbound(allowed_networks=("127.0.0.0/8",), allow_http=True),
        public_url=url,
        poll_seconds=0.1,
        retry_first_seconds=0.05,
    )
    async with AsyncExitStack() as stack:
        built = await stack.enter_async_context(build_data_plane(settings, vault=InMemoryVault(secrets)))
        await stack.enter_async_context(built.app.router.lifespan_context(built.app))
        await stack.enter_async_context(serving(built.app, bound))
        yield Side(await stack.enter_async_context(participant.running()), participant, root, secrets)


@dataclass
class Pair:
    """Both, with an agreement about the provider's files."""

    provider: Side
    consumer: Side
    agreement_id: str

    async def push(self) -> None:
        """The consumer wants the files in its folder `to`."""
        request = TransferRequest(
            id="t-1",
            contract_id=self.agreement_id,
            counter_party_address=self.provider.participant.address,
            protocol=PROTOCOL,
            transfer_type=PUSH,
            data_destination=DataAddress("LocalFile", {"path": "to"}),
        )
        await self.consumer.plane.transfers.initiate(request)

    async def both(self) -> tuple[TransferProcess, TransferProcess]:
        """The consumer's process and the provider's, once both have ended."""
        found: list[TransferProcess] = []

        async def have_ended() -> bool:
            ours = await self.consumer.plane.transfers.get("t-1")
            if not ours.is_outcome or ours.correlation_id is None:
                return False
            found[:] = [ours, await self.provider.plane.transfers.get(ours.correlation_id)]
            return found[1].is_outcome

        await eventually(have_ended, seconds=60)
        return found[0], found[1]


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    async with (
        organisation(PROVIDER, CONSUMER, tmp_path, prepares=False) as provider,
        organisation(CONSUMER, PROVIDER, tmp_path, prepares=True) as consumer,
    ):
        for name, content in FILES.items():
            target = provider.root / "from" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        await offer(provider.plane, data_address=DataAddress("LocalFile", {"path": "from/"}))
        address = provider.participant.address
        dataset = await offered(consumer.plane, address)
        await negotiate(consumer.plane, address, offer_id=dataset["hasPolicy"][0]["@id"])
        agreement = (await reached(consumer.plane, NegotiationState.FINALIZED)).agreement
        assert agreement is not None
        yield Pair(provider, consumer, agreement.id)


def received(root: Path) -> dict[str, bytes]:
    """What a reader of the folder takes for data."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(root).parts)
    }


async def test_files_are_pushed_into_the_consumers_inbox_and_no_token_is_left(pair: Pair) -> None:
    await pair.push()
    ours, theirs = await pair.both()
    assert (ours.state.name, theirs.state.name) == ("COMPLETED", "COMPLETED"), (ours.error, theirs.error)
    assert received(pair.consumer.root / "to") == FILES

    async def only_keys_are_left() -> bool:
        sides = (pair.provider, pair.consumer)
        kept = [alias for side in sides for alias in (*side.participant.secrets, *side.data_plane_secrets)]
        return not any(process.id in alias for process in (ours, theirs) for alias in kept)

    await eventually(only_keys_are_left)


async def test_a_file_that_is_there_already_ends_the_push_on_both_sides_with_the_reason(pair: Pair) -> None:
    there = pair.consumer.root / "to" / "large.bin"
    there.parent.mkdir(parents=True)
    there.write_bytes(b"of somebody else")
    await pair.push()
    ours, theirs = await pair.both()
    assert (ours.state.name, theirs.state.name) == ("TERMINATED", "TERMINATED")
    assert ours.error is not None
    assert theirs.error == ours.error
    assert there.read_bytes() == b"of somebody else"
