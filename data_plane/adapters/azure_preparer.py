"""AzureDestinationPreparer: a container and a write-only signature for one flow."""

import hashlib

from azure_storage.address import AzureBlobAddress
from azure_storage.containers import ObjectStorage
from connector_spi.data_address import DataAddress
from data_plane.ports.destination_preparer import PreparedDestination


class AzureDestinationPreparer:
    """Implements `data_plane.ports.destination_preparer.DestinationPreparer` for AzureStorage.

    The container is the flow's alone: named in the wish, or by us. Its metadata names the flow.
    """

    def __init__(self, storage: ObjectStorage, *, signature_seconds: float, allow_tags: bool = False) -> None:
        self._storage = storage
        self._signature_seconds = signature_seconds
        self._allow_tags = allow_tags

    async def prepare(self, flow_id: str, wish: DataAddress) -> PreparedDestination:
        """Create the container and sign for it."""
        wished = AzureBlobAddress.of_destination(wish, container_optional=True)
        container = wished.container or f"flow-{_digest(flow_id)[:48]}"
        await self._storage.create_container(wished.account, container, process_id=flow_id, key_name=wished.key_name)
        token = await self._storage.mint_write_sas(
            wished.account,
            container,
            policy_id=_policy_id(flow_id),
            lifetime_seconds=self._signature_seconds,
            allow_tags=self._allow_tags,
            key_name=wished.key_name,
        )
        address = wished.to_data_address().with_properties(container=container)
        return PreparedDestination(address, token.to_secret())

    async def release(self, flow_id: str, address: DataAddress, *, delivered: bool) -> None:
        """Revoke the signature; delete the container when nothing was delivered."""
        place = AzureBlobAddress.of_destination(address)
        await self._storage.revoke_sas(
            place.account, place.container, policy_id=_policy_id(flow_id), key_name=place.key_name
        )
        if not delivered:
            await self._storage.delete_container(
                place.account, place.container, process_id=flow_id, key_name=place.key_name
            )


def _policy_id(flow_id: str) -> str:
    return _digest(flow_id)[:32]


def _digest(flow_id: str) -> str:
    return hashlib.sha256(flow_id.encode()).hexdigest()
