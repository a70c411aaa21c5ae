"""The 28 sequences that the conformance kit dps-tck 1.2.0 plays against a data plane, stated again here.

They follow the kit's description test by test, over real HTTP. They are no replacement for the kit, which `make
tck-dps` runs where its packages can be had; they show the same promises where they cannot.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio

from data_plane.bootstrap import build_data_plane
from tests.eventually import eventually
from tests.serving import loopback_socket, serving
from tests.tck.kit_control_plane import KitControlPlane, address_problems, kit_control_plane
from tests.tck.scripted_plane import ASYNCHRONOUS, COMPLETING, EXTENSIONS, FACTORIES, HELD, settings_for
from vault_adapters.memory import InMemoryVault

HTTP_PULL = "https://w3id.org/dspace-sig/profile/http-pull"
PROVIDER = "tck-participant"


@dataclass
class Kit:
    """One test of the kit: it knows one flow."""

    client: httpx.AsyncClient
    control_plane: KitControlPlane
    flow_id: str = ""
    answer: httpx.Response | None = None

    async def create(self, kind: str, profile: str, *, agreement: str = "", dataset: str = "", **more: Any) -> Any:
        """Send prepare or start; returns the answer's address."""
        message = {
            "messageId": str(uuid4()),
            "participantId": PROVIDER,
            "counterPartyId": self.control_plane.did,
            "dataspaceContext": "tck-dataspace",
            "processId": str(uuid4()),
            "agreementId": agreement or str(uuid4()),
            "datasetId": dataset or str(uuid4()),
            "profile": profile,
            "claims": {},
            **more,
        }
        self.answer = await self.client.post(f"/dataflows/{kind}", json=message)
        body = self.answer.json()
        expected = {"prepare": "PREPAR", "start": "START"}[kind] + ("ING" if agreement == ASYNCHRONOUS else "ED")
        assert (body.get("state"), self.answer.is_success) == (expected, True), body
        self.flow_id = body["dataFlowId"]
        return body.get("dataAddress")

    async def push(self, agreement: str = "") -> None:
        """Start a push to the kit's odd address."""
        address = {"endpointType": "https://w3id.org/idsa/v4.1/HTTP", "endpoint": self.control_plane.address}
        assert await self.create("start", "http-push", agreement=agreement, dataAddress=address) is None

    async def send(self, kind: str, **more: Any) -> httpx.Response:
        """Send a message about the flow."""
        body = {} if kind == "completed" else {"messageId": str(uuid4()), **more}
        return await self.client.post(f"/dataflows/{self.flow_id}/{kind}", json=body)

    async def accepted(self, *kinds: str) -> None:
        """Send messages that have to be taken."""
        for kind in kinds:
            answer = await self.send(kind)
            assert answer.is_success, answer.text
            assert kind != "resume" or answer.json()["state"] == "STARTED"

    async def wait(self, state: str) -> None:
        """Poll the flow's state, as the kit does."""

        async def reached() -> bool:
            answer = await self.client.get(f"/dataflows/{self.flow_id}/status")
            return bool(answer.json()["state"] == state)

        await eventually(reached, seconds=15)


Sequence = Callable[[Kit], Awaitable[None]]


async def end_by_termination(kit: Kit) -> None:
    await kit.accepted("terminate")
    await kit.wait("TERMINATED")


async def suspend_and_resume(kit: Kit) -> None:
    await kit.accepted("suspend")
    await kit.wait("SUSPENDED")
    await kit.accepted("resume")
    await kit.wait("STARTED")


async def suspend_and_terminate(kit: Kit) -> None:
    await kit.accepted("suspend")
    await kit.wait("SUSPENDED")
    await end_by_termination(kit)


async def end_by_completion(kit: Kit) -> None:
    await kit.accepted("completed")
    await kit.wait("COMPLETED")


async def nothing(kit: Kit) -> None:
    await kit.wait("STARTED")


async def completes_by_itself(kit: Kit) -> None:
    """The kit looks for STARTED first, and only then waits for the call-back."""
    await kit.wait("STARTED")
    async with asyncio.timeout(15):
        await kit.control_plane.expect("completed").wait()
    await kit.wait("COMPLETED")


@asynccontextmanager
async def served(kit: KitControlPlane, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    bound = loopback_socket()
    own_url = f"http://127.0.0.1:{bound.getsockname()[1]}"
    settings = settings_for(
        database_url=f"sqlite:///{folder}/flows.db",
        own_url=own_url,
        control_plane_url=kit.address,
        kit_host=kit.address.removeprefix("http://"),
    )
    vault = InMemoryVault({})
    async with (
        build_data_plane(settings, vault=vault, further=FACTORIES, extensions=EXTENSIONS) as plane,
        plane.app.router.lifespan_context(plane.app),
        serving(plane.app, bound),
        httpx.AsyncClient(base_url=own_url) as client,
    ):
        yield client


@pytest_asyncio.fixture
async def kit(tmp_path: Path) -> AsyncIterator[Kit]:
    async with kit_control_plane() as control_plane, served(control_plane, tmp_path) as client:
        yield Kit(client, control_plane)


ENDINGS = [nothing, end_by_termination, suspend_and_resume, suspend_and_terminate]
IDS = ["01-01", "01-02", "02-01", "02-02"]


@pytest.mark.parametrize("ending", [*ENDINGS], ids=IDS)
async def test_dp_c_pull(kit: Kit, ending: Sequence) -> None:
    assert await kit.create("prepare", "http-pull") is None
    await kit.accepted("started")
    await ending(kit)


async def test_dp_c_pull_03_01(kit: Kit) -> None:
    await kit.create("prepare", "http-pull", agreement=COMPLETING)
    await kit.wait("PREPARED")
    await kit.accepted("started")
    await completes_by_itself(kit)


@pytest.mark.parametrize("profile", ["http-pull", "http-push"], ids=["dp_c_pull_04_01", "dp_c_push_04_01"])
async def test_an_asynchronous_prepare(kit: Kit, profile: str) -> None:
    came = kit.control_plane.expect("prepared")
    await kit.create("prepare", profile, agreement=ASYNCHRONOUS)
    assert kit.answer is not None
    assert (kit.answer.status_code, kit.answer.headers["Location"]) == (202, f"/dataflows/{kit.flow_id}/status")
    async with asyncio.timeout(15):
        await came.wait()
    await kit.wait("PREPARED")
    [(_, _, told)] = kit.control_plane.seen
    assert ("dataAddress" in told) is (profile == "http-push")


@pytest.mark.parametrize("ending", [end_by_completion, *ENDINGS[1:]], ids=IDS)
async def test_dp_p_pull(kit: Kit, ending: Sequence) -> None:
    address = await kit.create("start", "http-pull")
    assert address_problems(address) == []
    await kit.wait("STARTED")
    await ending(kit)


@pytest.mark.parametrize("pushed", [False, True], ids=["dp_p_pull_04_01", "dp_p_push_04_01"])
async def test_an_asynchronous_start(kit: Kit, *, pushed: bool) -> None:
    came = kit.control_plane.expect("started")
    if pushed:
        await kit.push(ASYNCHRONOUS)
    else:
        await kit.create("start", "http-pull", agreement=ASYNCHRONOUS)
    async with asyncio.timeout(15):
        await came.wait()
    await kit.wait("STARTED")
    [(_, _, told)] = kit.control_plane.seen
    assert ("dataAddress" in told) is not pushed


@pytest.mark.parametrize("ending", [*ENDINGS, end_by_completion], ids=[*IDS, "03-01"])
async def test_dp_c_push(kit: Kit, ending: Sequence) -> None:
    address = await kit.create("prepare", "http-push")
    assert address_problems(address) == []
    await kit.accepted("started")
    await kit.wait("STARTED")
    await ending(kit)


@pytest.mark.parametrize("ending", [*ENDINGS], ids=IDS)
async def test_dp_p_push(kit: Kit, ending: Sequence) -> None:
    await kit.push()
    await ending(kit)


async def test_dp_p_push_03_01(kit: Kit) -> None:
    await kit.push(COMPLETING)
    await completes_by_itself(kit)


def renewable(**more: str) -> dict[str, Any]:
    """The address that the kit's provider gives, with these properties too."""
    properties = {"authorization": "token", "authType": "bearer", **more}
    return {
        "@type": "DataAddress",
        "endpointType": HTTP_PULL,
        "endpoint": "https://provider.example.com/data",
        "endpointProperties": [{"name": name, "value": value} for name, value in properties.items()],
    }


async def test_dp_c_http_pull_01_01(kit: Kit) -> None:
    assert await kit.create("prepare", HTTP_PULL, dataset=HELD) is None
    refresh = {"refreshToken": "r", "expiresIn": "300", "refreshEndpoint": "https://provider.example.com/token"}
    assert (await kit.send("started", dataAddress=renewable(**refresh))).is_success
    await kit.wait("STARTED")


async def test_dp_c_http_pull_02_01(kit: Kit) -> None:
    assert await kit.create("prepare", HTTP_PULL, dataset=HELD) is None
    assert not (await kit.send("started", dataAddress=renewable())).is_success


async def granted(kit: Kit) -> dict[str, str]:
    """Start an HTTP pull; its address, checked."""
    address = await kit.create("start", HTTP_PULL)
    assert address_problems(address) == []
    assert address["endpointType"] == HTTP_PULL
    await kit.wait("STARTED")
    properties = {one["name"]: one["value"] for one in address["endpointProperties"]}
    assert (properties["authType"], properties["expiresIn"].isdecimal()) == ("bearer", True)
    return {"endpoint": address["endpoint"], **properties}


async def refreshed(kit: Kit, given: dict[str, str], **changes: Any) -> httpx.Response:
    """Ask for a fresh token, as the kit does: the refresh token in the form, the client's token in the header."""
    now = int(time.time())  # noqa: TID251 - what a foreign client puts into its token
    claims = {
        "iss": kit.control_plane.did,
        "sub": kit.control_plane.did,
        "aud": PROVIDER,
        "token": given["authorization"],
        "jti": str(uuid4()),
        "iat": now,
        "exp": now + 600,
        **changes,
    }
    return await kit.client.post(
        given["refreshEndpoint"],
        data={"grant_type": "refresh_token", "refresh_token": given["refreshToken"]},
        headers={"Authorization": f"Bearer {kit.control_plane.client_token(claims)}"},
    )


async def test_dp_p_http_pull_01_01(kit: Kit) -> None:
    given = await granted(kit)
    answer = await refreshed(kit, given)
    assert answer.status_code == 200
    assert answer.json()["access_token"] not in {"", given["authorization"]}
    assert answer.json()["token_type"] == "Bearer"


async def test_dp_p_http_pull_02_01(kit: Kit) -> None:
    given = await granted(kit)
    assert not (await refreshed(kit, {**given, "refreshToken": "unknown"})).is_success


async def test_dp_p_http_pull_02_02(kit: Kit) -> None:
    given = await granted(kit)
    assert not (await refreshed(kit, given, aud="did:web:invalid-audience")).is_success


async def test_a_key_that_is_new_since_the_last_look_is_found(kit: Kit) -> None:
    """The kit signs with a new key in every test, under the same DID."""
    assert (await refreshed(kit, await granted(kit))).status_code == 200
    kit.control_plane.rotate_key()
    given = await granted(kit)

    async def taken() -> bool:
        return (await refreshed(kit, given)).status_code == 200

    await eventually(taken, seconds=10)
