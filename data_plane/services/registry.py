"""FactoryRegistry: which source or sink serves which DataAddress type."""

from collections.abc import Mapping
from typing import Generic, TypeVar

from data_plane.domain.errors import PluginBrokenError, UnsupportedAddressTypeError

Factory_co = TypeVar("Factory_co", covariant=True)


class FactoryRegistry(Generic[Factory_co]):
    """Factories by address type. `direction` names them in errors: `source`, `sink`, ...

    `broken`: why a type that somebody meant to serve is not served.
    """

    def __init__(
        self, direction: str, factories: Mapping[str, Factory_co], *, broken: Mapping[str, str] | None = None
    ) -> None:
        self._direction = direction
        self._factories = dict(factories)
        self._broken = dict(broken or {})

    @property
    def types(self) -> frozenset[str]:
        """The address types that are served."""
        return frozenset(self._factories)

    def of(self, address_type: str) -> Factory_co:
        """The factory for this type.

        Raises:
            PluginBrokenError: its plug-in could not be loaded.
            UnsupportedAddressTypeError: there is none.
        """
        if address_type in self._factories:
            return self._factories[address_type]
        if address_type in self._broken:
            raise PluginBrokenError(
                direction=self._direction, address_type=address_type, reason=self._broken[address_type]
            )
        known = tuple(sorted(self._factories))
        raise UnsupportedAddressTypeError(direction=self._direction, address_type=address_type, known=known)
