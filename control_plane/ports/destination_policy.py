"""DestinationPolicy: which destinations that a counterparty names are acceptable."""

from typing import Protocol

from connector_spi.data_address import DataAddress


class DestinationPolicy(Protocol):
    """The provider's check of where a consumer wants the data."""

    def accept(self, address: DataAddress) -> DataAddress:
        """The address with nothing in it but what this connector understands, the secret included.

        Raises:
            InvalidInputError: unknown type, bad account, container or folder name, missing secret, or a storage
                endpoint that does not match the configured template.
        """
        ...
