"""Looks at a running data flow closely enough to kill its data plane in the middle."""

import asyncio
from typing import Final

import httpx

from connector_cli.demo.organisation import SIGNALING_TOKEN, Organisation

_POLL_SECONDS: Final = 0.01


async def wait_for_bytes(provider: Organisation, consumer_process_id: str, wanted: int) -> int:
    """Poll the data plane until the transfer's flow has copied `wanted` bytes, or has ended; returns what it has.

    The consumer's and the provider's own views lag behind by the length of a report; the data plane's does not.
    """
    vault = provider.open_vault()
    try:
        token = await vault.resolve(SIGNALING_TOKEN)
    finally:
        await vault.aclose()
    flow_id = await _provider_process_id(provider, consumer_process_id)
    url = f"{provider.data_plane_url}/dataflows/{flow_id}/status"
    async with httpx.AsyncClient(
        timeout=5, trust_env=False, headers={"Authorization": f"Bearer {token}"}
    ) as data_plane:
        while True:
            answer = await data_plane.get(url)
            flow = answer.json() if answer.is_success else {}
            copied = int(flow.get("progress", {}).get("bytesCopied", 0))
            if copied >= wanted or flow.get("state") in {"COMPLETED", "TERMINATED"}:
                return copied
            await asyncio.sleep(_POLL_SECONDS)


async def _provider_process_id(provider: Organisation, consumer_process_id: str) -> str:
    """The provider's process that serves the consumer's, once there is one."""
    matching = {"operandLeft": "correlationId", "operator": "=", "operandRight": consumer_process_id}
    async with provider.client() as client:
        while True:
            found = await client.call(
                "POST", "/v3/transferprocesses/request", {"@type": "QuerySpec", "filterExpression": [matching]}
            )
            if found:
                return str(found[0]["@id"])
            await asyncio.sleep(_POLL_SECONDS)
