"""Which answers of a control plane are tried again, and which end a call-back."""

import httpx
import pytest

from connector_spi.errors import ConnectorError, PeerRefusedError, PeerUnavailableError
from connector_spi.signaling import DataFlowStatusMessage
from data_plane.adapters.callback_targets import CallbackTargets, ConfiguredControlPlane
from data_plane.adapters.control_plane_http_client import ControlPlaneHttpClient
from data_plane.adapters.memory_control_plane_registry import MemoryControlPlaneRegistry
from tests.unit.data_plane.fakes import a_data_flow
from vault_adapters.memory import InMemoryVault

TRIED_AGAIN = [401, 403, 404, 408, 409, 425, 429, 500, 503]
FOR_GOOD = [301, 400, 405, 410, 413, 422]


async def told(kind: str, status: int) -> list[httpx.Request]:
    """Make the call-back to a control plane that answers with this status; returns what it was asked."""
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(status)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        targets = CallbackTargets(
            configured=ConfiguredControlPlane(base="http://control-plane", token_alias="token"),
            registry=MemoryControlPlaneRegistry(),
            vault=InMemoryVault({"token": "t"}),
            plain=http,
            guarded=http,
        )
        message = DataFlowStatusMessage(data_flow_id="flow/1")
        await getattr(ControlPlaneHttpClient(targets), kind)(a_data_flow("flow/1"), message)
    return requests


@pytest.mark.parametrize("kind", ["prepared", "started", "completed", "errored", "progress"])
async def test_a_call_back_names_the_flow_and_carries_the_token(kind: str) -> None:
    [request] = await told(kind, 200)
    assert str(request.url) == f"http://control-plane/transfers/flow%2F1/dataflow/{kind}"
    assert request.headers["Authorization"] == "Bearer t"


@pytest.mark.parametrize("kind", ["prepared", "started", "completed", "errored"])
@pytest.mark.parametrize(
    ("status", "error"),
    [*((status, PeerUnavailableError) for status in TRIED_AGAIN), *((status, PeerRefusedError) for status in FOR_GOOD)],
)
async def test_an_outcome_is_refused_for_good_by_what_cannot_pass_alone(
    kind: str, status: int, error: type[ConnectorError]
) -> None:
    with pytest.raises(error, match=str(status)):
        await told(kind, status)


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_a_control_plane_that_does_not_know_progress_refuses_it(status: int) -> None:
    with pytest.raises(PeerRefusedError):
        await told("progress", status)


@pytest.mark.parametrize("status", [401, 403, 503])
async def test_progress_survives_what_passes(status: int) -> None:
    with pytest.raises(PeerUnavailableError):
        await told("progress", status)
