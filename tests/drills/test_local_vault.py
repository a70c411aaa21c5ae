"""The keys of local vaults are replaced while transfers run on them."""

from pathlib import Path

import pytest

from connector_cli.demo.organisation import Organisation
from tests.conftest import AzuriteForTests
from tests.drills.clients import everybody_records, is_access_with
from tests.drills.commands import connector
from tests.drills.drill import paced_drill

pytestmark = [pytest.mark.azurite, pytest.mark.end_to_end, pytest.mark.slow, pytest.mark.timeout(600)]


async def test_the_key_of_the_vault_is_replaced_in_the_middle(
    azurite: AzuriteForTests, tmp_path: Path, container_name: str
) -> None:
    async with paced_drill(azurite, tmp_path, outbox=container_name) as drill:
        before = await drill.begun("before")
        for side in (drill.stage.provider, drill.stage.consumer):
            old = _keys(side)
            await connector(side, "vault", "rotate-key")
            drill.hygiene.known |= old | _keys(side)
            assert not old & _keys(side)
        await everybody_records(drill.stage, is_access_with("ok"))
        await before.more_arrive()
        after = await drill.begun("after", objects=8)
        await drill.end_well(before, after)


def _keys(side: Organisation) -> set[str]:
    return set((side.folder / "vault.key").read_text(encoding="utf-8").split())
