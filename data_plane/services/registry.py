"""FactoryRegistry: which source or sink serves which DataAddress type."""

from collections.abc import Mapping
from typing import Generic, TypeVar

from data_plane.domain.errors import UnsupportedAddressTypeError

Factory_co = TypeVar("Factory_co", covariant=True)


class FactoryRegistry(Generic[Factory_co]):
    """Factories by address type. `direction` names them in errors: `source`, `sink`, ..."""

    def __init__(self, direction: str, factories: Mapping[str, Factory_co]) -> None:
        self._direction = direction
        self._factories = dict(factories)

    def of(self, address_type: str) -> Factory_co:
        """The factory for this type.

        Raises:
            UnsupportedAddressTypeError: there is none.
        """
        try:
            return self._factories[address_type]
        except KeyError:
            known = tuple(sorted(self._factories))
            raise UnsupportedAddressTypeError(
                direction=self._direction, address_type=address_type, known=known
            ) from None
