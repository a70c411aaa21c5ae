"""What is made, refused and removed for a container that the client has already, on the real Azurite."""

from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import parse_qs

import pytest

from azure_storage.errors import ContainerNotFoundError, StorageRefusedError
from azure_storage.markers import COMPLETE, FAILED
from azure_storage.sas import SasToken
from connector_spi.errors import InvalidInputError
from control_plane.adapters.object_storage_provisioner import ObjectStorageProvisioner
from control_plane.domain.placement import DestinationAccess
from control_plane.ports.placement import DestinationFolderTakenError
from tests.conftest import AzuriteForTests
from tests.integration.control_plane.existing_container_stage import (
    ACCOUNT,
    LONG,
    ExistingContainerStage,
    existing_container,
)

pytestmark = pytest.mark.azurite


@pytest.fixture
async def stage(azurite: AzuriteForTests) -> AsyncIterator[ExistingContainerStage]:
    async with existing_container(azurite) as running:
        yield running


@pytest.mark.parametrize("receipt", [COMPLETE, FAILED, ".manifest/00001.ndjson"])
async def test_a_folder_in_which_a_transfer_has_been_is_refused(stage: ExistingContainerStage, receipt: str) -> None:
    await stage.client.upload_blob(f"used/{receipt}", b"{}")
    with pytest.raises(DestinationFolderTakenError, match=receipt):
        await stage.provision(folderName="used")


async def test_a_folder_in_which_a_transfer_was_quicker_is_refused_before_anything_is_placed(
    stage: ExistingContainerStage,
) -> None:
    await stage.provision(folderName="shared")
    first = stage.process
    await stage.arrive()
    secret = stage.secret
    await stage.provision(folderName="shared")
    await stage.arrive({"other.csv": b"1"})
    second = stage.process
    stage.process, stage.secret = first, secret
    await stage.place_all()
    names = await stage.names()
    stage.process = second
    with pytest.raises(DestinationFolderTakenError):
        await stage.place()
    assert (await stage.placement.take_back(second, seconds=LONG)).is_done
    assert await stage.names() == names


async def test_a_missing_container_is_said_to_be_missing(stage: ExistingContainerStage) -> None:
    stage.container = "no-such-container"
    with pytest.raises(ContainerNotFoundError, match="no-such-container"):
        await stage.provision()


async def test_deprovisioning_deletes_the_staging_container_and_nothing_else(stage: ExistingContainerStage) -> None:
    await stage.provision()
    await stage.arrive()
    await stage.place_all()
    before = await stage.etags()
    await stage.provisioner.deprovision(stage.process)
    await stage.provisioner.deprovision(stage.process)
    assert await stage.etags() == before
    made = stage.process.provisioned
    assert made is not None
    with pytest.raises(ContainerNotFoundError):
        await stage.storage.blobs.check_container(ACCOUNT, made.container)


async def test_a_client_may_let_the_provider_into_its_whole_container(stage: ExistingContainerStage) -> None:
    await stage.provision(access="container")
    made = stage.process.provisioned
    assert made is not None
    assert (made.access, made.container, made.placement) == (DestinationAccess.CONTAINER, stage.container, None)
    await stage.arrive()
    acl = await stage.client.get_container_access_policy()
    assert (acl["public_access"], len(acl["signed_identifiers"])) == ("blob", 1)
    await stage.provisioner.revoke(stage.process)
    acl = await stage.client.get_container_access_policy()
    assert (acl["public_access"], acl["signed_identifiers"]) == ("blob", [])
    with pytest.raises(StorageRefusedError):
        await stage.write("late.csv", b"1")
    before = await stage.etags()
    await stage.provisioner.deprovision(stage.process)
    assert await stage.etags() == before
    assert COMPLETE in await stage.names()


async def test_a_provider_is_let_into_an_empty_folder_only(stage: ExistingContainerStage) -> None:
    await stage.client.upload_blob("mine/one.txt", b"1")
    with pytest.raises(DestinationFolderTakenError, match=r"mine/one\.txt"):
        await stage.provision(access="container", folderName="mine")


@pytest.mark.parametrize(
    ("properties", "named"),
    [
        ({"access": "everything"}, "access"),
        ({"access": "managed"}, "access"),
        ({"access": "directory"}, "hierarchical namespace"),
        ({"ifExists": "overwrite"}, "ifExists"),
        ({"ifExists": "skip", "access": "container"}, "ifExists"),
        ({"folderName": "a/.manifest"}, "folderName"),
        ({"container": ""}, "container"),
    ],
)
async def test_what_cannot_work_is_refused_by_name(
    stage: ExistingContainerStage, properties: dict[str, str], named: str
) -> None:
    with pytest.raises(InvalidInputError, match=named):
        stage.provisioner.plan(stage.wish(**properties))


async def test_the_staging_container_is_gone_only_with_its_owner(stage: ExistingContainerStage) -> None:
    await stage.provision()
    made = stage.process.provisioned
    assert made is not None
    other = stage.wish(stage.process.id)
    await stage.provisioner.deprovision(replace(other, provisioned=made))
    await stage.storage.blobs.check_container(ACCOUNT, made.container)


async def test_where_there_are_directories_the_provider_is_let_into_the_folder_alone(
    stage: ExistingContainerStage,
) -> None:
    """An emulator without hierarchical namespace can show what is signed, not how the service heeds it."""
    provisioner = ObjectStorageProvisioner(stage.storage, sas_seconds=600, hierarchical={ACCOUNT})
    process = stage.wish(folderName="in/here")
    process = replace(process, provisioned=provisioner.plan(process))
    made = await provisioner.provision(process)
    signed = parse_qs(SasToken.from_secret(made.secret).query)
    assert (signed["sr"], signed["sdd"]) == (["d"], ["2"])
    assert (made.resource.container, made.resource.placement) == (stage.container, None)
    await provisioner.revoke(replace(process, provisioned=made.resource))
    acl = await stage.client.get_container_access_policy()
    assert (acl["public_access"], acl["signed_identifiers"]) == ("blob", [])
