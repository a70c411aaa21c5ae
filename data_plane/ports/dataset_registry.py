"""DatasetRegistry: where the data of a dataset lies and where it goes, for messages that do not say so."""

from typing import Protocol

from connector_spi.data_address import DataAddress


class DatasetRegistry(Protocol):
    """Addresses by dataset id. None of them holds a secret."""

    async def source_of(self, dataset_id: str) -> DataAddress | None:
        """Where the dataset is read, or None when that is not known here.

        Raises:
            TransientError: the registry did not answer.
        """
        ...

    async def destination_of(self, dataset_id: str) -> DataAddress | None:
        """Where the dataset is received, or None when that is not known here.

        Raises:
            TransientError: as for `source_of`.
        """
        ...
