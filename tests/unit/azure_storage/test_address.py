import pytest

from azure_storage.address import AzureBlobAddress
from connector_spi.data_address import AZURE_STORAGE, DataAddress
from connector_spi.errors import InvalidInputError


def _address(**properties: str) -> DataAddress:
    return DataAddress(AZURE_STORAGE, {"account": "acme1", "container": "data", **properties})


@pytest.mark.parametrize("spelling", ["blobName", "blobname"])
def test_a_source_names_one_blob_in_either_spelling(spelling: str) -> None:
    source = AzureBlobAddress.of_source(_address(**{spelling: "a/b.csv"}, keyName="alias"))
    assert (source.blob_name, source.blob_prefix, source.key_name) == ("a/b.csv", None, "alias")


def test_a_prefix_wins_over_a_blob_name() -> None:
    source = AzureBlobAddress.of_source(_address(blobName="x", blobPrefix="dir/"))
    assert (source.blob_name, source.blob_prefix) == (None, "dir/")


def test_an_empty_prefix_means_the_whole_container() -> None:
    assert AzureBlobAddress.of_source(_address(blobPrefix="")).blob_prefix == ""


def test_a_source_without_blob_and_prefix_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="blobPrefix"):
        AzureBlobAddress.of_source(_address())


def test_a_source_may_be_one_of_the_services_own_containers() -> None:
    assert AzureBlobAddress.of_source(_address(container="$web", blobName="index.html")).container == "$web"


@pytest.mark.parametrize(
    "container", ["$root", "$logs", "$web", "", "ab", "Data", "a--b", "-ab", "ab-", "a" * 64, "a_b"]
)
def test_a_destination_container_that_cannot_be_used_is_refused(container: str) -> None:
    with pytest.raises(InvalidInputError, match="container"):
        AzureBlobAddress.of_destination(_address(container=container))


def test_a_destination_may_leave_its_container_to_be_provisioned() -> None:
    address = DataAddress(AZURE_STORAGE, {"account": "acme1"})
    assert AzureBlobAddress.of_destination(address, container_optional=True).container == ""


def test_a_bad_container_is_refused_even_where_it_may_be_missing() -> None:
    with pytest.raises(InvalidInputError, match="container"):
        AzureBlobAddress.of_destination(_address(container="$root"), container_optional=True)


def test_a_destination_folder_loses_its_trailing_slash() -> None:
    assert AzureBlobAddress.of_destination(_address(folderName="in/box/")).folder_name == "in/box"


@pytest.mark.parametrize("folder", ["/in", "../in", "in//box", "/", "in\\box"])
def test_a_bad_folder_is_refused(folder: str) -> None:
    with pytest.raises(InvalidInputError, match="folderName"):
        AzureBlobAddress.of_destination(_address(folderName=folder))


def test_another_type_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="type"):
        AzureBlobAddress.of_source(DataAddress("HttpData", {}))


def test_a_bad_account_is_named_with_its_value_and_a_remedy() -> None:
    with pytest.raises(InvalidInputError, match=r"account: .*'Bad!'.*3 to 24"):
        AzureBlobAddress.of_source(_address(account="Bad!", blobName="x"))


def test_an_address_survives_the_way_through_a_data_address() -> None:
    for properties in ({"blobName": "a b", "keyName": "k"}, {"blobPrefix": ""}, {"blobPrefix": "p/"}):
        source = AzureBlobAddress.of_source(_address(**properties))
        assert AzureBlobAddress.of_source(source.to_data_address()) == source
