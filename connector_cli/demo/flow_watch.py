"""Looks at a running data flow closely enough to kill its data plane in the middle.

The consumer's and the provider's own views lag behind by the length of a report; the data plane's does not.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx

from connector_cli.demo.organisation import SIGNALING_TOKEN, Organisation

_POLL_SECONDS: Final = 0.01


async def wait_for_bytes(provider: Organisation, consumer_process_id: str, wanted: int) -> int:
    """Poll the data plane until the transfer's flow has copied `wanted` bytes, or has ended; returns what it has."""
    async with _data_plane(provider) as data_plane:
        path = await _status_path(provider, consumer_process_id)
        while True:
            flow = await _status(data_plane, path)
            copied = int(flow.get("progress", {}).get("bytesCopied", 0))
            if copied >= wanted or flow.get("state") in {"COMPLETED", "TERMINATED"}:
                return copied
            await asyncio.sleep(_POLL_SECONDS)


async def flow_status(provider: Organisation, consumer_process_id: str) -> dict[str, Any]:
    """What the data plane says of the transfer's flow: state, progress, failure; empty while it knows of none."""
    async with _data_plane(provider) as data_plane:
        return await _status(data_plane, await _status_path(provider, consumer_process_id))


async def provider_process(provider: Organisation, consumer_process_id: str) -> dict[str, Any]:
    """The provider's process that serves the consumer's, once there is one."""
    matching = {"operandLeft": "correlationId", "operator": "=", "operandRight": consumer_process_id}
    query = {"@type": "QuerySpec", "filterExpression": [matching]}
    async with provider.client() as client:
        while True:
            found: list[dict[str, Any]] = await client.call("POST", "/v3/transferprocesses/request", query)
            if found:
                return found[0]
            await asyncio.sleep(_POLL_SECONDS)


async def _status_path(provider: Organisation, consumer_process_id: str) -> str:
    process = await provider_process(provider, consumer_process_id)
    return f"/dataflows/{process['@id']}/status"


async def _status(data_plane: httpx.AsyncClient, path: str) -> dict[str, Any]:
    answer = await data_plane.get(path)
    flow: dict[str, Any] = answer.json() if answer.is_success else {}
    return flow


@asynccontextmanager
async def _data_plane(provider: Organisation) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the provider's data plane, with the token of its control plane."""
    vault = provider.open_vault()
    try:
        token = await vault.resolve(SIGNALING_TOKEN)
    finally:
        await vault.aclose()
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(
        base_url=provider.data_plane_url, timeout=5, trust_env=False, headers=headers
    ) as client:
        yield client
