"""The management API over real services, called in this process."""

from collections.abc import AsyncIterator

import httpx
import pytest

from management_api.app import create_app
from tests.unit.management_api.fakes import ControlPlaneOfTests, FixedClock

API_KEY = "the-key-of-the-tests"


@pytest.fixture
def plane() -> ControlPlaneOfTests:
    return ControlPlaneOfTests()


async def _api_key() -> str:
    return API_KEY


@pytest.fixture
async def api(plane: ControlPlaneOfTests) -> AsyncIterator[httpx.AsyncClient]:
    """A client that sends the key, and whose paths are below /management."""
    transport = httpx.ASGITransport(create_app(plane, api_key=_api_key, clock=FixedClock()))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://connector/management", headers={"x-api-key": API_KEY}
    ) as client:
        yield client
