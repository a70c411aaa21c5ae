"""The provider's account key is rotated in the middle of a transfer: no restart, no byte lost."""

import os
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import pytest

from connector_cli.azurite import new_account_key, running_azurite
from data_plane.settings import MEBIBYTE
from tests.conftest import AzuriteForTests
from tests.fault_proxy.faults import delayed
from tests.integration.data_plane.conftest import CONSUMER, PROVIDER, open_organisations, serving
from tests.integration.data_plane.renewing_control_plane import minted
from tests.integration.data_plane.test_credential_renewal import opened

OBJECTS: Final = 8


@pytest.mark.parametrize("order", ["vault first", "storage first"])
@pytest.mark.parametrize("mode", ["streamed", "server-side"])
async def test_the_new_key_is_picked_up_from_the_vault(
    mode: str, order: str, tmp_path: Path, container_name: str, azurite: AzuriteForTests
) -> None:
    del azurite  # says whether one is installed
    old, new, theirs = new_account_key(), new_account_key(), new_account_key()
    data = tmp_path / "azurite"
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(AsyncExitStack())
        accounts = {PROVIDER: f"{old}:{new}", CONSUMER: theirs}
        running = await first.enter_async_context(running_azurite(accounts=accounts, data_folder=data))
        storage = AzuriteForTests(running.endpoint_template, {PROVIDER: old, CONSUMER: theirs})
        organisations = await stack.enter_async_context(open_organisations(storage, container_name))
        for number in range(OBJECTS):
            await organisations.put(f"in/{number}.bin", os.urandom(MEBIBYTE))
        rig = await stack.enter_async_context(opened(storage, organisations, tmp_path))
        for operation in ("Put Block", "Put Block From URL", "Put Blob"):
            rig.proxy.inject(delayed(0.2), operation, times=None)
        settings = rig.settings.model_copy(update={"copy_mode": mode, "flow_bytes_per_second": 0})
        client = await stack.enter_async_context(serving(settings, rig.secrets))

        organisations.write_token = await minted(organisations, 3600)
        message = organisations.start_message({"blobPrefix": "in/"})
        assert (await client.post("/dataflows/start", json=message)).status_code == 200
        await rig.proxy.until(lambda: sum(record.status == 201 for record in rig.proxy.requests) >= 3)
        await first.aclose()
        if order == "vault first":
            rig.secrets[PROVIDER] = new
        port = int(running.endpoint_template.split(":")[2].split("/")[0])
        only_new = {PROVIDER: new, CONSUMER: theirs}
        await stack.enter_async_context(running_azurite(accounts=only_new, data_folder=data, port=port))
        if order == "storage first":
            # A key that is regenerated ends before its owner can know the new one.
            await rig.proxy.until(lambda: sum(record.status == 403 for record in rig.proxy.requests) >= 4)
            rig.secrets[PROVIDER] = new

        await rig.control_plane.told(organisations.process_id, "completed")
        assert await rig.delivered_all()
        refused = [record for record in rig.proxy.requests if record.status == 403]
        assert refused, "the old key was still in use when it ended"
