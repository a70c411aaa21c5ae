"""DatasetRegistry: where the data of a dataset lies, for `start` messages that do not say so."""

from typing import Protocol

from connector_spi.data_address import DataAddress


class DatasetRegistry(Protocol):
    """The provider's datasets by id."""

    async def source_of(self, dataset_id: str) -> DataAddress | None:
        """The dataset's address, or None when there is no such dataset; never holds a secret.

        Raises:
            TransientError: the registry did not answer.
        """
        ...
