import pytest
from hypothesis import given
from hypothesis import strategies as st

from azure_storage.object_names import MAX_NAME_LENGTH, check_object_name, destination_name
from connector_spi.errors import InvalidInputError


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "a/b.csv",
        "Übersicht 2026.txt",
        "数据/表.parquet",
        ".hidden",
        "x.complete",
        "sub/.complete",
        "a.manifest/x",
        "%2e",
    ],
)
def test_a_name_that_the_service_keeps_as_it_is_passes(name: str) -> None:
    assert check_object_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "a/../b",
        "./a",
        "a.",
        "a./b",
        "a\\b",
        "a\nb",
        "a\x00",
        "a\x85",
        "a\ud800",
        "a\uffff",
    ],
)
def test_a_name_that_the_service_would_change_or_refuse_is_refused(name: str) -> None:
    with pytest.raises(InvalidInputError, match="blobName"):
        check_object_name(name)


@pytest.mark.parametrize("name", [".complete", ".failed", ".manifest", ".manifest/00001.ndjson", ".manifest/x"])
def test_the_transfers_own_names_are_refused_at_the_root(name: str) -> None:
    with pytest.raises(InvalidInputError, match="keeps for itself"):
        check_object_name(name)


def test_the_longest_name_passes_and_one_more_does_not() -> None:
    assert destination_name("", "x" * MAX_NAME_LENGTH)
    with pytest.raises(InvalidInputError, match="too long"):
        check_object_name("x" * (MAX_NAME_LENGTH + 1))


def test_the_folder_counts_towards_the_length() -> None:
    assert len(destination_name("f" * 23, "x" * 1000)) == MAX_NAME_LENGTH
    with pytest.raises(InvalidInputError, match="folder included"):
        destination_name("f" * 24, "x" * 1000)


def test_characters_outside_the_basic_plane_count_twice_as_the_service_counts() -> None:
    assert check_object_name("𝄞" * 512)
    with pytest.raises(InvalidInputError, match="too long"):
        check_object_name("𝄞" * 513)


def test_253_slashes_pass_and_254_do_not() -> None:
    assert check_object_name("/".join("a" * 254))
    with pytest.raises(InvalidInputError, match="slashes"):
        check_object_name("/".join("a" * 255))


def test_an_object_is_placed_in_its_folder() -> None:
    assert destination_name("in/", "a/b") == "in/a/b"
    assert destination_name("", "a/b") == "a/b"


@given(folder=st.text(max_size=30), name=st.text(max_size=60))
def test_no_name_escapes_its_folder(folder: str, name: str) -> None:
    try:
        placed = destination_name(folder, name)
    except InvalidInputError:
        return
    parts = placed.split("/")
    assert placed.startswith(f"{folder.removesuffix('/')}/" if folder else name)
    assert not {"", ".", ".."} & set(parts)
