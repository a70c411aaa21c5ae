"""Which profiles a data plane knows: its own, those of installed packages, those of whoever builds it."""

import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from connector_spi.data_address import DataAddressMessage
from connector_spi.errors import ConfigurationError, InvalidInputError
from data_plane.bootstrap.extensions import NO_EXTENSIONS, Extensions
from data_plane.bootstrap.profiles import profiles_of
from data_plane.domain.transfer_profile import Direction, TransferProfile
from data_plane.services.profile_registry import address_from_wire
from data_plane.settings import DataPlaneSettings
from tests.unit.data_plane.test_plugins import package

MODULE = """
    from data_plane.domain.transfer_profile import Direction, TransferProfile

    def profiles():
        return [TransferProfile(name="https://plug.example/ftp-pull", direction=Direction.PULL, address_type="Ftp")]

    def nothing():
        return [1]

    def raising():
        raise RuntimeError("no licence")
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[None]:
    """A package whose entry point is the parameter."""
    (tmp_path / "planted_profiles.py").write_text(dedent(MODULE))
    point = f"[dataspace_connector.transfer_profiles]\nftp = planted_profiles:{request.param}\n"
    package(tmp_path, "planted-profiles", point)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("planted_profiles", None)


def test_the_built_in_profiles_have_both_names_and_a_root_of_choice() -> None:
    profiles = profiles_of(DataPlaneSettings(profile_root="https://own.example/profiles/"), NO_EXTENSIONS)
    for name, direction, address_type, endpoint_type in (
        ("AzureStorage-PUSH", "PUSH", "AzureStorage", "AzureStorage"),
        (
            "https://own.example/profiles/azure-blob-pull",
            "PULL",
            "AzureStorage",
            "https://own.example/profiles/azure-blob-pull",
        ),
        (
            "https://w3id.org/dspace-sig/profile/http-pull",
            "PULL",
            "HttpData",
            "https://w3id.org/dspace-sig/profile/http-pull",
        ),
        ("HttpData-PUSH", "PUSH", "HttpData", "HttpData"),
    ):
        found = profiles.of(name)
        assert (found.direction, found.address_type, found.endpoint_type) == (direction, address_type, endpoint_type)
        assert name in profiles.names


@pytest.mark.parametrize("installed", ["profiles"], indirect=True)
@pytest.mark.usefixtures("installed")
def test_a_package_brings_profiles() -> None:
    profiles = profiles_of(DataPlaneSettings(), NO_EXTENSIONS)
    assert profiles.of("https://plug.example/ftp-pull").address_type == "Ftp"


@pytest.mark.parametrize("installed", ["nothing", "raising", "missing"], indirect=True)
@pytest.mark.usefixtures("installed")
def test_a_package_whose_profiles_cannot_be_had_is_named() -> None:
    with pytest.raises(ConfigurationError, match="'ftp'"):
        profiles_of(DataPlaneSettings(), NO_EXTENSIONS)


def test_a_name_stands_for_one_profile() -> None:
    twice = TransferProfile(name="AzureStorage-PUSH", direction=Direction.PULL, address_type="Other")
    with pytest.raises(ConfigurationError, match="AzureStorage-PUSH"):
        profiles_of(DataPlaneSettings(), Extensions(profiles=(twice,)))


def test_edcs_grammar_is_understood_for_every_type_and_nothing_else_is() -> None:
    profiles = profiles_of(DataPlaneSettings(), NO_EXTENSIONS)
    assert profiles.of("LocalFile-PULL").address_type == "LocalFile"
    for name in ("LocalFile", "LocalFile-pull", "https://own.example/a-PUSH"):
        with pytest.raises(InvalidInputError, match="transfer profile"):
            profiles.of(name)


def test_the_http_address_of_an_edc_is_one_of_ours_in_http_profiles_alone() -> None:
    granted = DataAddressMessage(endpoint_type="https://w3id.org/idsa/v4.1/HTTP", endpoint="https://provider.example/x")
    profiles = profiles_of(DataPlaneSettings(), NO_EXTENSIONS)
    assert address_from_wire(profiles.of("HttpData-PULL"), granted).type == "HttpData"
    assert address_from_wire(profiles.of("AzureStorage-PULL"), granted).type == granted.endpoint_type
