"""DatasetRegistry over addresses that the operator wrote down."""

from collections.abc import Mapping

from connector_spi.data_address import DataAddress


class ConfiguredDatasets:
    """Implements `data_plane.ports.dataset_registry.DatasetRegistry`."""

    def __init__(self, sources: Mapping[str, DataAddress], destinations: Mapping[str, DataAddress]) -> None:
        self._sources = sources
        self._destinations = destinations

    async def source_of(self, dataset_id: str) -> DataAddress | None:
        """Where the dataset is read."""
        return self._sources.get(dataset_id)

    async def destination_of(self, dataset_id: str) -> DataAddress | None:
        """Where the dataset is received."""
        return self._destinations.get(dataset_id)
