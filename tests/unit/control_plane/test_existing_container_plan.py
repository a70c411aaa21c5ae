"""What is planned for a container that the client has already, and the names that renaming gives."""

from itertools import islice

import pytest

from connector_spi.data_address import DataAddress
from control_plane.adapters.existing_container import existing_plan
from control_plane.adapters.placement_slice import other_names
from control_plane.domain.placement import DestinationAccess, IfExists
from tests.control_plane_entities import transfer_process


@pytest.mark.parametrize(
    ("properties", "access", "container"),
    [
        ({}, DestinationAccess.STAGING, "made"),
        ({"access": "staging", "account": "lake"}, DestinationAccess.STAGING, "made"),
        ({"account": "lake"}, DestinationAccess.DIRECTORY, "mine"),
        ({"access": "directory", "account": "lake"}, DestinationAccess.DIRECTORY, "mine"),
        ({"access": "container"}, DestinationAccess.CONTAINER, "mine"),
    ],
)
def test_the_account_and_the_client_say_where_the_provider_writes(
    properties: dict[str, str], access: DestinationAccess, container: str
) -> None:
    address = DataAddress("AzureStorage", {"account": "plain", "container": "mine", **properties})
    process = transfer_process("t-1", data_destination=address, managed_resources=False)
    plan = existing_plan(process, staging_container="made", hierarchical={"lake"})
    assert (plan.access, plan.container, plan.folder) == (access, container, "t-1")
    assert plan.access.is_made_here is (container == "made")
    assert (plan.placement is None) is (container == "mine")
    if plan.placement is not None:
        assert (plan.placement.container, plan.placement.if_exists) == ("mine", IfExists.REFUSE)
        assert plan.placement.position is None, "nothing has arrived"


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("a.csv", ["a.01234567.csv", "a.01234567-2.csv"]),
        ("x.y/a", ["x.y/a.01234567", "x.y/a.01234567-2"]),
        ("x/.hidden", ["x/.hidden.01234567", "x/.hidden.01234567-2"]),
        ("a.tar.gz", ["a.tar.01234567.gz", "a.tar.01234567-2.gz"]),
    ],
)
def test_other_names_are_always_the_same_and_keep_the_extension(name: str, names: list[str]) -> None:
    assert list(islice(other_names(name, "0123456789abcdef"), 2)) == names
    assert len(set(other_names(name, "0123456789abcdef"))) == len(list(other_names(name, "0123456789abcdef")))
