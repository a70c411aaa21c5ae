"""Signatures that end in the middle of a transfer: renewed in time, or the flow is parked and goes on later."""

import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest_asyncio

from azure_storage.settings import AzureStorageSettings
from data_plane.settings import MEBIBYTE, DataPlaneSettings
from tests.conftest import AzuriteForTests
from tests.eventually import eventually
from tests.fault_proxy import FaultProxy, fault_proxy
from tests.integration.data_plane.conftest import PROVIDER, TOKEN, Organisations, serving
from tests.integration.data_plane.renewing_control_plane import (
    RenewingControlPlane,
    destination,
    minted,
    renewing_control_plane,
)

LIFE: Final = 6.0
"""Seconds; it is renewed when half of it is over."""
RATE: Final = 4 * MEBIBYTE
"""Bytes per second: what `objects` puts there takes more than twice the life of a signature."""


@dataclass
class Rig:
    organisations: Organisations
    control_plane: RenewingControlPlane
    proxy: FaultProxy
    settings: DataPlaneSettings
    secrets: dict[str, str] = field(default_factory=dict)

    @property
    def flow(self) -> str:
        return f"/dataflows/{self.organisations.process_id}"

    async def objects(self) -> None:
        """A large one and some small ones."""
        await self.organisations.put("in/large.bin", os.urandom(24 * MEBIBYTE))
        for number in range(14):
            await self.organisations.put(f"in/small-{number:02d}.bin", os.urandom(2 * MEBIBYTE))

    async def started(self, client: httpx.AsyncClient) -> None:
        self.organisations.write_token = await minted(self.organisations, LIFE)
        message = self.organisations.start_message({"blobPrefix": "in/"})
        assert (await client.post("/dataflows/start", json=message)).status_code == 200

    async def delivered_all(self) -> bool:
        found = await self.organisations.delivered()
        return {name: found.get(name) for name in self.organisations.contents} == self.organisations.contents

    def sent(self) -> list[tuple[str, str]]:
        """Every block, and every whole object, that storage acknowledged."""
        kinds = {"Put Block", "Put Blob"}
        return [
            (record.blob, record.request.block_id)
            for record in self.proxy.requests
            if record.operation in kinds and record.upstream_status == 201 and record.blob.startswith("in/")
        ]

    async def resumed(self, client: httpx.AsyncClient, **members: Any) -> httpx.Response:
        return await client.post(f"{self.flow}/resume", json={"messageId": str(uuid4()), **members})

    async def status(self, client: httpx.AsyncClient) -> dict[str, Any]:
        found: dict[str, Any] = (await client.get(f"{self.flow}/status")).json()
        return found

    async def until(self, client: httpx.AsyncClient, state: str) -> dict[str, Any]:
        async def reached() -> bool:
            return bool((await self.status(client))["state"] == state)

        await eventually(reached, seconds=60)
        return await self.status(client)


@asynccontextmanager
async def opened(azurite: AzuriteForTests, organisations: Organisations, folder: Path) -> AsyncIterator[Rig]:
    async with (
        renewing_control_plane(organisations, life_seconds=LIFE) as control_plane,
        fault_proxy(azurite.endpoint_template) as proxy,
    ):
        settings = DataPlaneSettings(
            database_url=f"sqlite:///{folder}/flows.db",
            storage=AzureStorageSettings(endpoint_template=proxy.endpoint_template),
            control_plane_url=control_plane.base,
            signaling_token_alias="token-alias",
            callback_token_alias="token-alias",
            copy_mode="streamed",
            flow_bytes_per_second=RATE,
            max_objects_in_parallel=4,
            max_blocks_in_parallel=4,
            signature_grace_seconds=0,
            heartbeat_seconds=0.2,
            poll_seconds=0.1,
            retry_first_seconds=0.05,
        )
        secrets = {PROVIDER: azurite.keys[PROVIDER], "token-alias": TOKEN}
        yield Rig(organisations, control_plane, proxy, settings, secrets)


@pytest_asyncio.fixture
async def rig(azurite: AzuriteForTests, organisations: Organisations, tmp_path: Path) -> AsyncIterator[Rig]:
    async with opened(azurite, organisations, tmp_path) as rig:
        yield rig


async def test_a_transfer_that_outlives_its_signature_twice_is_renewed_and_completes(rig: Rig) -> None:
    await rig.objects()
    async with serving(rig.settings, rig.secrets) as client:
        await rig.started(client)
        told = await rig.control_plane.told(rig.organisations.process_id, "completed")
        assert told["state"] == "COMPLETED"
        await eventually(lambda: _empty_but(rig.secrets, {PROVIDER, "token-alias"}))
    assert await rig.delivered_all()
    assert len(rig.control_plane.ends) >= 3
    assert len(rig.control_plane.ends) == len(set(rig.control_plane.ends)), "each had a later end than the one before"
    assert rig.control_plane.of(rig.organisations.process_id, "suspended") == []
    sent = rig.sent()
    assert len(sent) == len(set(sent))
    assert {record.status for record in rig.proxy.requests if record.operation == "Put Block"} == {201}, "none refused"


async def test_without_renewal_the_flow_is_parked_before_the_end_and_goes_on_with_a_new_address(rig: Rig) -> None:
    await rig.objects()
    rig.control_plane.answers["credential"] = [404] * 9
    async with serving(rig.settings, rig.secrets) as client:
        await rig.started(client)
        ends_at = rig.organisations.write_token.expires_at
        assert ends_at is not None
        told = await rig.control_plane.told(rig.organisations.process_id, "suspended")
        status = await rig.status(client)
        assert status["state"] == told["state"] == "SUSPENDED"
        assert status["reason"] == told["reason"]
        assert status["reason"].startswith("CredentialExpired: ")
        assert f"{ends_at:%Y-%m-%d %H:%M:%S}" in status["reason"]
        assert "does not know how to renew" in status["reason"]
        assert "Resume" in status["reason"]
        assert {record.status for record in rig.proxy.requests if record.operation == "Put Block"} == {201}

        # While the old signature is all there is, it parks again, for the same reason.
        assert (await rig.resumed(client)).status_code == 200
        await rig.control_plane.told(rig.organisations.process_id, "suspended", times=2)
        assert (await rig.status(client))["reason"] == status["reason"]
        assert len({call["messageId"] for call in rig.control_plane.of(rig.organisations.process_id, "suspended")}) == 2

        fresh = await minted(rig.organisations, 3600)
        assert (await rig.resumed(client, dataAddress=destination(rig.organisations, fresh))).status_code == 200
        await rig.control_plane.told(rig.organisations.process_id, "completed")
        assert "reason" not in await rig.status(client)
    assert await rig.delivered_all()
    sent = rig.sent()
    assert len(sent) == len(set(sent)), "nothing that was staged before is sent again"


async def test_a_revoked_signature_that_nobody_renews_ends_the_flow_with_that_reason(rig: Rig) -> None:
    await rig.organisations.put("in/a.bin", os.urandom(1000))
    rig.control_plane.answers["credential"] = [409] * 9
    async with serving(rig.settings, rig.secrets) as client:
        rig.organisations.write_token = await minted(rig.organisations, 3600)
        await rig.organisations.storage.revoke_sas(
            "consumerorg", rig.organisations.destination_container, policy_id="transfer"
        )
        message = rig.organisations.start_message({"blobPrefix": "in/"})
        await client.post("/dataflows/start", json=message)
        told = await rig.control_plane.told(rig.organisations.process_id, "errored")
    assert told["failure"]["code"] in {"AuthorizationFailure", "SasRevoked"}
    assert "revoked" in told["failure"]["message"]
    assert len(rig.control_plane.of(rig.organisations.process_id, "credential")) == 1


async def test_a_revoked_signature_is_replaced_when_the_consumer_gives_another(rig: Rig) -> None:
    await rig.organisations.put("in/a.bin", content := os.urandom(1000))
    async with serving(rig.settings, rig.secrets) as client:
        rig.organisations.write_token = await minted(rig.organisations, 3600)
        await rig.organisations.storage.revoke_sas(
            "consumerorg", rig.organisations.destination_container, policy_id="transfer"
        )
        message = rig.organisations.start_message({"blobPrefix": "in/"})
        await client.post("/dataflows/start", json=message)
        await rig.control_plane.told(rig.organisations.process_id, "completed")
    assert (await rig.organisations.delivered())["in/a.bin"] == hashlib.sha256(content).hexdigest()
    assert len(rig.control_plane.ends) == 1


async def _empty_but(secrets: dict[str, str], kept: set[str]) -> bool:
    return set(secrets) == kept
