"""The keys of both storage accounts are regenerated while a transfer runs on them."""

from pathlib import Path

import pytest

from connector_cli.demo.organisation import Organisation
from tests.conftest import AzuriteForTests
from tests.drills.commands import connector
from tests.drills.drill import Drill
from tests.drills.hashicorp_drill import hashicorp_drill
from tests.drills.rotating_storage import RotatingStorage, rotating_storage
from tests.eventually import eventually

pytestmark = [pytest.mark.azurite, pytest.mark.end_to_end, pytest.mark.slow, pytest.mark.timeout(600)]

CACHE_SECONDS = 300
"""The longest that there is: a process that does not forget the old key has it until the end of the drill."""
REFUSALS = 4
"""Each of the two processes that look into the account has tried the old key again by then."""


async def test_account_keys_are_replaced_in_the_middle(azurite: AzuriteForTests, tmp_path: Path) -> None:
    del azurite  # says whether one is installed; this one is restarted with other keys
    async with (
        rotating_storage(tmp_path / "azurite") as storage,
        hashicorp_drill(storage.for_tests(), tmp_path, cache_seconds=CACHE_SECONDS) as place,
    ):
        drill = place.drill
        transfer = await drill.begun("rotated")
        provider, consumer = drill.stage.provider, drill.stage.consumer
        await _replace_key(drill, storage, provider, vault_first=True)
        await transfer.more_arrive(4)
        assert drill.pace.refused(provider.account), "the old key was not in use any more"
        await _replace_key(drill, storage, consumer, vault_first=False)
        await transfer.more_arrive(4)
        await drill.end_well(transfer)


async def _replace_key(drill: Drill, storage: RotatingStorage, side: Organisation, *, vault_first: bool) -> None:
    """As docs/azure.md tells operators; or as it has to be where the new key is not known before the old one ends."""
    side.account_key = storage.second_key(side.account)
    drill.hygiene.known.add(side.account_key)
    if vault_first:
        await connector(side, "vault", "set", side.account, value=side.account_key)
    refused = drill.pace.refused(side.account)
    await storage.regenerate_first_key(side.account)
    if not vault_first:

        async def is_refused() -> bool:
            return drill.pace.refused(side.account) >= refused + REFUSALS

        await eventually(is_refused, seconds=60)
        await connector(side, "vault", "set", side.account, value=side.account_key)
