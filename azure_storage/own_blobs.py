"""OwnBlobs: what the owner of an account does with single blobs of a container that may hold anybody's."""

from dataclasses import dataclass
from typing import Final

from azure.core import MatchConditions
from azure.storage.blob.aio import ContainerClient

from azure_storage.account_calls import AccountCalls
from azure_storage.account_signers import AccountSigners
from azure_storage.errors import BlobNotFoundError, StorageRefusedError
from azure_storage.sas import SasToken

_STAYS: Final = frozenset({409, 412})


@dataclass(frozen=True, slots=True)
class OwnBlobs:
    """`key_name` in every method: as for `ObjectStorage`. So are the errors."""

    calls: AccountCalls
    signers: AccountSigners

    async def check_container(self, account: str, container: str, *, key_name: str | None = None) -> None:
        """Find out whether the container is there, and may be looked at.

        Raises:
            ContainerNotFoundError: no such container.
        """

        async def look(client: ContainerClient) -> None:
            await client.get_container_properties()

        await self.calls.run("Get Container Properties", account, container, look, key_name=key_name)

    async def move_token(
        self,
        account: str,
        container: str,
        *,
        lifetime_seconds: float,
        with_tags: bool = False,
        key_name: str | None = None,
    ) -> SasToken:
        """A signature that writes blobs, for this side's own requests: it is never given to anybody.

        No stored access policy holds its terms, so the container's settings stay as they are. A life of minutes.
        """
        signer = await self.signers.of(account, key_name=key_name, lifetime_seconds=lifetime_seconds)
        return signer.for_container(container, "wt" if with_tags else "w")

    async def staged_blocks(
        self, account: str, container: str, name: str, *, key_name: str | None = None
    ) -> dict[str, int]:
        """Ids and sizes of the blocks that wait for their commit, whoever staged them."""

        async def read(client: ContainerClient) -> dict[str, int]:
            _, waiting = await client.get_blob_client(name).get_block_list("uncommitted")
            return {block.id: block.size for block in waiting}

        try:
            return await self.calls.run("Get Block List", account, container, read, blob=name, key_name=key_name)
        except BlobNotFoundError:
            return {}

    async def delete_unchanged(
        self, account: str, container: str, name: str, *, etag: str, key_name: str | None = None
    ) -> bool:
        """Delete the blob if it is still this version.

        False when it stays: it is another version by now, or somebody holds on to it (lease, snapshot, legal hold).
        """

        async def delete(client: ContainerClient) -> None:
            blob = client.get_blob_client(name)
            await blob.delete_blob(etag=etag, match_condition=MatchConditions.IfNotModified)

        try:
            await self.calls.run("Delete Blob", account, container, delete, blob=name, key_name=key_name)
        except BlobNotFoundError:
            return True
        except StorageRefusedError as error:
            if error.refusal.status not in _STAYS:
                raise
            return False
        return True
