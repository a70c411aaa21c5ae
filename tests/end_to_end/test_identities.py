"""A transfer between two connectors whose storage nobody opens with an account key, with real processes."""

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pytest
from azure.core.exceptions import ResourceNotFoundError

from connector_cli.demo.flow_watch import flow_status
from tests.conftest import AzuriteWithOAuth
from tests.end_to_end.secret_search import holds, written_below
from tests.end_to_end.stage import Stage, two_organisations
from tests.identities import SECRET_VARIABLE, identity_of

pytestmark = [pytest.mark.azurite, pytest.mark.end_to_end, pytest.mark.slow, pytest.mark.timeout(300)]

MEBIBYTE: Final = 1024 * 1024
LIFE: Final = 8
"""Seconds that a signature lives; the transfer takes longer."""
FILES: Final = {f"in/{number:02d}.bin": os.urandom(MEBIBYTE) for number in range(14)}


def environment(azurite: AzuriteWithOAuth) -> dict[str, dict[str, str]]:
    """Each process knows its own account, and the identity that opens it."""
    identity = identity_of(azurite.entra).model_dump(mode="json", exclude_none=True)
    common = {
        "CONNECTOR_AZURE_IDENTITIES": json.dumps({"own": identity}),
        "CONNECTOR_STORAGE__CA_FILE": str(azurite.ca_file),
        "CONNECTOR_STORAGE__DELEGATION_SAS_SECONDS": str(LIFE),
        "CONNECTOR_STORAGE__DEVELOPMENT": "false",
        SECRET_VARIABLE: azurite.entra.client_secret,
    }

    def opening(account: str) -> dict[str, str]:
        return {**common, "CONNECTOR_STORAGE__ACCOUNTS": json.dumps([{"name": account, "identity": "own"}])}

    return {
        "provider": opening("providerorg"),
        "data plane": {
            **opening("providerorg"),
            "CONNECTOR_DATA_PLANE__FLOW_BYTES_PER_SECOND": str(MEBIBYTE),
            "CONNECTOR_DATA_PLANE__MAX_OBJECTS_IN_PARALLEL": "2",
            "CONNECTOR_DATA_PLANE__RENEWAL_PATIENCE_SECONDS": "1",
            "CONNECTOR_DATA_PLANE__COPY_MODE": "streamed",
        },
        "consumer": {**opening("consumerorg"), "CONNECTOR_TRANSFER__RENEWAL_INTERVAL_SECONDS": "1"},
    }


async def _without_account_keys(stage: Stage) -> None:
    for side in (stage.provider, stage.consumer):
        vault = side.open_vault()
        await vault.delete(side.account)
        await vault.aclose()


async def _vault_entries(stage: Stage) -> dict[str, str]:
    entries: dict[str, str] = {}
    for side in (stage.provider, stage.consumer):
        vault = side.open_vault()
        entries |= {f"{side.name} {alias}": await vault.resolve(alias) for alias in await vault.aliases()}
        await vault.aclose()
    return entries


def _renewals(file: Path) -> list[datetime]:
    """The ends of the signatures that were given out anew."""
    records: list[dict[str, Any]] = [json.loads(x) for x in file.read_text().splitlines() if x.startswith("{")]
    return [datetime.fromisoformat(x["ends_at"]) for x in records if x.get("message") == "credential renewed"]


async def test_a_transfer_without_any_account_key_outlives_its_signature_and_leaves_nothing(
    azurite_oauth: AzuriteWithOAuth, tmp_path: Path, container_name: str
) -> None:
    async with two_organisations(
        azurite_oauth, tmp_path, container_name, environment(azurite_oauth), before_start=_without_account_keys
    ) as stage:
        for name, content in FILES.items():
            await stage.upload(name, content)
        await stage.offer("many", blobPrefix="in/")
        process_id = await stage.start(await stage.agree("many"))
        process = await stage.ended(process_id)
        assert process["state"] == "COMPLETED", process

        container = process["dataDestination"]["container"]
        async with stage.destination(container) as client:
            assert {name: await (await client.download_blob(name)).readall() for name in FILES} == FILES
            acl = await client.get_container_access_policy()
        assert acl["signed_identifiers"] == []
        ends = _renewals(stage.consumer.folder / "connector.log")
        assert ends
        assert ends == sorted(set(ends))
        assert (await flow_status(stage.provider, process_id))["progress"]["bytesCopied"] == len(FILES) * MEBIBYTE

        await stage.deprovision(process_id)
        async with stage.destination(container) as client:
            with pytest.raises(ResourceNotFoundError):
                await client.get_container_properties()
        entries = await _vault_entries(stage)

    keys = azurite_oauth.keys.values()
    written = written_below(tmp_path) | {alias: secret.encode() for alias, secret in entries.items()}
    assert [place for place, content in written.items() if any(holds(content, key) for key in keys)] == []
    assert not [alias for alias in entries if process_id in alias or "data-address" in alias]
