"""What others may add to a data plane beside sources and sinks: profiles, and who serves them.

Transfer profiles also come from installed packages: an entry point in the group `dataspace_connector.transfer_profiles`
names a function without arguments that returns `TransferProfile`s.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Final

from connector_spi.errors import ConfigurationError
from data_plane.domain.transfer_profile import TransferProfile
from data_plane.ports.access_granter import AccessGranter
from data_plane.ports.dataset_registry import DatasetRegistry
from data_plane.ports.destination_preparer import DestinationPreparer

PROFILES_GROUP: Final = "dataspace_connector.transfer_profiles"


@dataclass(frozen=True, slots=True, kw_only=True)
class Extensions:
    """Preparers and granters by address type; they go before the built-in ones."""

    profiles: tuple[TransferProfile, ...] = ()
    preparers: Mapping[str, DestinationPreparer] = field(default_factory=dict)
    granters: Mapping[str, AccessGranter] = field(default_factory=dict)
    datasets: DatasetRegistry | None = None
    """In the place of the datasets of the settings."""


NO_EXTENSIONS: Final = Extensions()


def installed_profiles() -> Iterator[TransferProfile]:
    """The profiles of installed packages.

    Raises:
        ConfigurationError: one of them cannot be loaded; names its entry point.
    """
    for point in entry_points(group=PROFILES_GROUP):
        try:
            made = point.load()()
        except Exception as error:
            raise _broken(point.name, f"cannot be loaded ({type(error).__name__})") from error
        yield from _checked(point.name, made)


def _checked(name: str, made: object) -> Iterator[TransferProfile]:
    if not isinstance(made, Iterable):
        raise _broken(name, "returns no profiles")
    for profile in made:
        if not isinstance(profile, TransferProfile):
            raise _broken(name, "returns what is no TransferProfile")
        yield profile


def _broken(name: str, problem: str) -> ConfigurationError:
    return ConfigurationError(key=f"entry point {name!r} of {PROFILES_GROUP}", problem=problem)
