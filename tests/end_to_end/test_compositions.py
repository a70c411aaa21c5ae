"""The same transfer with the data plane inside the connector, and with PostgreSQL under everything."""

from pathlib import Path

import pytest

from tests.conftest import AzuriteForTests
from tests.end_to_end.stage import two_organisations

pytestmark = [pytest.mark.azurite, pytest.mark.end_to_end]


async def test_an_embedded_data_plane_does_the_same_job(
    azurite: AzuriteForTests, tmp_path: Path, container_name: str
) -> None:
    environment = {"provider": {"CONNECTOR_EMBEDDED_DATA_PLANE": "true"}}
    async with two_organisations(azurite, tmp_path, container_name, environment, embedded=True) as stage:
        await stage.upload("folder/a.txt", b"embedded")
        await stage.offer("a", blobPrefix="folder/")
        process = await stage.ended(await stage.start(await stage.agree("a")))
        assert process["state"] == "COMPLETED", process
        await stage.deprovision(process["@id"])


@pytest.mark.postgres
async def test_postgresql_carries_both_planes(
    azurite: AzuriteForTests, tmp_path: Path, container_name: str, postgres_urls: list[str]
) -> None:
    provider, consumer, data_plane = postgres_urls
    environment = {
        "provider": {"CONNECTOR_DATABASE__URL": provider},
        "consumer": {"CONNECTOR_DATABASE__URL": consumer},
        "data plane": {"CONNECTOR_DATA_PLANE__DATABASE_URL": data_plane},
    }
    async with two_organisations(azurite, tmp_path, container_name, environment) as stage:
        await stage.upload("folder/b.txt", b"postgresql")
        await stage.offer("b", blobPrefix="folder/")
        process = await stage.ended(await stage.start(await stage.agree("b")))
        assert process["state"] == "COMPLETED", process
        await stage.deprovision(process["@id"])
