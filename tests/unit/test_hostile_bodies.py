"""Whatever is sent to whichever endpoint of a whole control plane: an answer, and never a failure of ours."""

import asyncio
import json
import re
import warnings
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector_spi.clock import SystemClock
from control_plane.adapters.client_id_identity import ClientIdIdentity
from control_plane.bootstrap import build_control_plane
from control_plane.dsp_messages import CONTEXT
from control_plane.settings import ControlPlaneSettings, DataPlaneEndpointSettings, OutboundSettings
from management_api.app import create_app
from tests.unit.json_fuzz import BODIES, changed
from vault_adapters.memory import InMemoryVault

FUZZED: Final = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
DEFECT: Final = 500
PEER: Final = {
    "counterPartyAddress": "https://them.example/2025-1",
    "counterPartyId": "did:web:them",
    "protocol": "dataspace-protocol-http:2025-1",
}
CONSTRAINT: Final = {"leftOperand": "inForceDate", "operator": "lt", "rightOperand": "contractAgreement+1d"}
POLICY: Final = {
    "@context": "http://www.w3.org/ns/odrl.jsonld",
    "@type": "Offer",
    "@id": "offer-1",
    "assigner": "did:web:them",
    "target": "asset-1",
    "permission": [{"action": "use", "constraint": [CONSTRAINT, {"or": [CONSTRAINT]}]}],
    "prohibition": [],
}
CRITERION: Final = {"operandLeft": "id", "operator": "=", "operandRight": "x"}
QUERY: Final = {"offset": 0, "limit": 5, "sortOrder": "ASC", "sortField": "id", "filterExpression": [CRITERION]}
GOOD: Final[dict[str, dict[str, Any]]] = {
    "/assets": {
        "@id": "asset-1",
        "properties": {"name": "n"},
        "dataAddress": {"type": "HttpData", "baseUrl": "https://x"},
    },
    "/policydefinitions": {"@id": "p-1", "policy": POLICY},
    "/contractdefinitions": {
        "@id": "c-1",
        "accessPolicyId": "p-1",
        "contractPolicyId": "p-1",
        "assetsSelector": [CRITERION],
    },
    "/catalog/request": PEER | {"querySpec": QUERY},
    "/dataset/request": PEER | {"@id": "asset-1"},
    "/contractnegotiations": PEER | {"policy": POLICY},
    "/offers": PEER | {"policy": POLICY, "assetId": "asset-1"},
    "/offer": {"policy": POLICY},
    "/request": QUERY,
    "/terminate": {"reason": "why"},
    "/suspend": {"reason": "why"},
    "/transferprocesses": PEER
    | {"contractId": "a-1", "transferType": "HttpData-PULL", "dataDestination": {"type": "HttpProxy"}},
    "/transferprocess": PEER | {"contractId": "a-1", "assetId": "asset-1", "dataDestination": {"type": "AzureStorage"}},
    "/dataplanes": {
        "dataplaneId": "plane",
        "endpoint": "https://plane.example",
        "transferTypes": ["HttpData-PULL"],
        "authorization": {
            "type": "oauth2_client_credentials",
            "tokenEndpoint": "https://plane.example/token",
            "clientId": "c",
            "clientSecret": "s",
            "jwksUri": "https://plane.example/jwks",
        },
    },
    "/dataflow/{name}": {"messageId": "m", "dataAddress": {"@type": "DataAddress", "endpointType": "HttpData"}},
    "/credential": {"@context": [CONTEXT], "@type": "CredentialRenewalRequestMessage", "consumerPid": "c"},
}
"""What is good in the place that a path ends with, or near it."""
NAMES: Final = ("started", "prepared", "completed", "errored", "progress", "suspended", "start", "x")


@dataclass
class Stage:
    """One control plane for all examples, on a loop of its own."""

    runner: asyncio.Runner
    apps: dict[str, FastAPI]

    def endpoints(self, name: str) -> list[tuple[str, str]]:
        """Method and path of all that takes a body."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of ids that are given twice
            document = get_openapi(title="", version="", routes=self.apps[name].routes)
        found = [(method.upper(), path) for path, methods in document["paths"].items() for method in methods]
        return [(method, path) for method, path in found if method in {"POST", "PUT"}]

    def call(self, name: str, method: str, path: str, body: bytes) -> httpx.Response:
        """The answer; an exception that leaves the application fails the test."""

        async def called() -> httpx.Response:
            headers = {"Authorization": '{"clientId": "did:web:them"}', "Content-Type": "application/json"}
            transport = httpx.ASGITransport(self.apps[name])
            async with httpx.AsyncClient(transport=transport, base_url="http://us", headers=headers) as client:
                return await client.request(method, path, content=body)

        return self.runner.run(called())


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    nobody = OutboundSettings(allowed_hosts=("nobody.invalid",))
    chosen = ControlPlaneSettings(
        participant_id="did:web:us",
        database_url="memory://",
        protocol_url="https://us.example",
        signaling_url="http://127.0.0.1:9",
        data_planes=(DataPlaneEndpointSettings(id="plane", url="http://127.0.0.1:9", token_alias=None),),
        outbound=nobody,
    )
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        opening = build_control_plane(
            chosen, vault=InMemoryVault(), clock=SystemClock(), identity=ClientIdIdentity("did:web:us")
        )
        plane = runner.run(stack.enter_async_context(opening))
        management = create_app(plane, api_key=None)
        yield Stage(
            runner, {"protocol": plane.protocol_app, "signaling": plane.signaling_app, "management": management}
        )
        runner.run(stack.aclose())


@pytest.mark.parametrize("name", ["protocol", "signaling", "management"])
def test_no_body_is_our_failure(stage: Stage, name: str) -> None:
    endpoints = stage.endpoints(name)

    @FUZZED
    @given(data=st.data())
    def fuzz(data: st.DataObject) -> None:
        method, template = data.draw(st.sampled_from(endpoints))
        ends = [end for end in sorted(GOOD, key=len) if template.endswith(end)]
        good = GOOD[ends[-1]] if ends else {"@context": [CONTEXT], "reason": "why"}
        names = st.sampled_from(NAMES) | st.text(min_size=1, max_size=9)
        path = re.sub(r"{\w+}", lambda _: quote(data.draw(names), safe=""), template)
        answer = stage.call(name, method, path, data.draw(changed(good) | BODIES))
        assert answer.status_code != DEFECT, answer.text
        assert answer.status_code < DEFECT or answer.json()

    fuzz()


def test_the_good_bodies_are_good(stage: Stage) -> None:
    """Else the fuzzing would begin with what is refused already."""
    for path in ("assets", "policydefinitions", "contractdefinitions"):
        answer = stage.call("management", "POST", f"/management/v3/{path}", json.dumps(GOOD[f"/{path}"]).encode())
        assert answer.status_code in {200, 409}, answer.text
