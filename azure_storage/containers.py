"""ObjectStorage: what the owner of an account does: containers, signatures, listing, small reads.

With the account's key or as an identity, whichever opens the account. All methods raise leaves of the catalogue, and
with them what `AccountAccesses.of` raises. A key that storage refuses is read from the vault once more; when it was
rotated meanwhile, the call is made again with the new one.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final

from azure.core.exceptions import HttpResponseError
from azure.storage.blob.aio import BlobLeaseClient, ContainerClient

from azure_storage.account_access import AccountAccesses, SharedKey
from azure_storage.account_calls import AccountCalls
from azure_storage.account_signers import AccountSigners
from azure_storage.delegation_keys import UserDelegationKeys
from azure_storage.endpoints import StorageEndpoints
from azure_storage.errors import (
    AccountKeyAwaitedError,
    BlobNotFoundError,
    BlobTooLargeError,
    ContainerBeingDeletedError,
    ContainerExistsError,
    ContainerNotFoundError,
    ContainerNotOursError,
    Refusal,
    StorageRefusedError,
)
from azure_storage.listed_object import ListedObject, ListedPage, listed_object
from azure_storage.listing import Listing, Tags, is_refusal_of_tags
from azure_storage.metadata import percent_encoded
from azure_storage.object_names import check_container
from azure_storage.own_blobs import OwnBlobs
from azure_storage.sas import SasToken
from azure_storage.sas_signing import SasSigner
from azure_storage.sdk_clients import SdkClients
from azure_storage.session import StorageSession
from azure_storage.settings import AzureStorageSettings
from azure_storage.signed_requests import SignedRequests
from azure_storage.stored_policies import StoredPolicies
from connector_spi.clock import Clock

__all__ = ["ListedObject", "ListedPage", "ObjectStorage", "Tags"]

PROCESS_ID_METADATA: Final = "processid"
"""Container metadata that names the process which created it; percent-encoded."""
LIST_PAGE_SIZE: Final = 5000
CALL_SECONDS: Final = 60.0
_RANGE_NOT_SATISFIABLE: Final = 416


class ObjectStorage:
    """Control operations on storage accounts that this participant can open.

    `key_name` in every method: the vault alias of the account key, or None for what usually opens the account.
    """

    def __init__(
        self,
        *,
        endpoints: StorageEndpoints,
        accesses: AccountAccesses,
        clock: Clock,
        session: StorageSession,
        call_seconds: float = CALL_SECONDS,
        delegation_seconds: float = AzureStorageSettings().delegation_sas_seconds,
    ) -> None:
        """`delegation_seconds`: longest life of a signature of an identity."""
        self._endpoints = endpoints
        self._accesses = accesses
        self._requests = SignedRequests(session, clock=clock, call_seconds=call_seconds)
        clients = SdkClients(endpoints, session, read_timeout_seconds=call_seconds)
        self._calls = AccountCalls(accesses, clients, call_seconds=call_seconds)
        self._policies = StoredPolicies(self._calls)
        self._signers = AccountSigners(
            accesses,
            UserDelegationKeys(clients, clock=clock, call_seconds=call_seconds),
            endpoints=endpoints,
            clock=clock,
            delegation_seconds=delegation_seconds,
        )

    @property
    def blobs(self) -> OwnBlobs:
        """The same for single blobs of containers that are not the transfer's alone."""
        return OwnBlobs(self._calls, self._signers)

    async def create_container(
        self, account: str, container: str, *, process_id: str, key_name: str | None = None
    ) -> None:
        """Create the container for this process alone; does nothing when this process created it before.

        The process id is part of the create call, so a crash right after it leaves no container without an owner.

        Raises:
            ContainerExistsError: the container exists and is not this process's.
            ContainerBeingDeletedError: its name is not free yet (transient).
        """
        check_container(container, system_allowed=False)
        owner = percent_encoded(process_id)

        async def create(client: ContainerClient) -> None:
            await client.create_container(metadata={PROCESS_ID_METADATA: owner})

        try:
            await self._calls.run("Create Container", account, container, create, key_name=key_name)
        except ContainerExistsError:
            if await self._owner(account, container, key_name) != owner:
                raise

    async def mint_write_sas(
        self,
        account: str,
        container: str,
        *,
        policy_id: str,
        lifetime_seconds: float,
        folder: str = "",
        allow_tags: bool = False,
        key_name: str | None = None,
    ) -> SasToken:
        """A signature that allows writing blobs into the container and nothing else; with `allow_tags` tagging too.

        `folder` limits it to that folder, in accounts with hierarchical namespace only.

        One by the account key is bound to the stored access policy `policy_id` (1 to 64 characters), which holds its
        terms, so that it can be revoked. Minting again replaces the policy: signatures bound to it get the new end,
        and work again when it had been revoked. Azure may take up to 30 seconds to honour a new policy; until then
        writes are answered 403.

        One by an identity holds its terms itself, and lives `delegation_seconds` at most. Minting again makes another.

        Raises:
            ContainerNotFoundError: no such container; not noticed where an identity signs.
            TooManyPoliciesError: the container has its five policies already.
        """
        permission = "wt" if allow_tags else "w"
        signer = await self._signers.of(account, key_name=key_name, lifetime_seconds=lifetime_seconds)
        if not isinstance(signer.key, SharedKey):
            return _signed(signer, container, permission, folder)
        await self._policies.set_policy(account, container, policy_id, permission, signer.terms, key_name=key_name)
        # Setting the policy may have found that the key was rotated.
        signer = await self._signers.of(account, key_name=key_name, lifetime_seconds=lifetime_seconds)
        return signer.by_policy(container, policy_id, folder=folder)

    async def revoke_sas(self, account: str, container: str, *, policy_id: str, key_name: str | None = None) -> None:
        """End every signature that is bound to the policy; does nothing when policy or container are gone.

        Nor where an identity signs: its signatures are bound to no policy. They end with their short life, or with
        the container.
        """
        if isinstance(await self._accesses.of(account, key_name), SharedKey):
            await self._policies.remove(account, container, policy_id, key_name=key_name)

    async def mint_read_sas(
        self,
        account: str,
        container: str,
        *,
        lifetime_seconds: float,
        blob_name: str | None = None,
        listing: bool = False,
        key_name: str | None = None,
    ) -> SasToken:
        """A signature that allows reading one blob, or with no name every blob of the container.

        Listing them only where that is wished.
        """
        signer = await self._signers.of(account, key_name=key_name, lifetime_seconds=lifetime_seconds)
        if blob_name is None:
            return signer.for_container(container, "rl" if listing else "r")
        return signer.for_blob(container, blob_name, "r")

    def forget_key(self, account: str) -> None:
        """Take the account's keys anew next time: for callers whose signature was refused."""
        self._signers.forget(account)

    def refused(
        self, account: str, key_name: str | None, error: StorageRefusedError
    ) -> StorageRefusedError | AccountKeyAwaitedError:
        """What it means that a signature of the account's was refused, though it was made anew."""
        return self._signers.refused(account, key_name, error)

    async def delete_container(
        self, account: str, container: str, *, process_id: str, key_name: str | None = None
    ) -> None:
        """Delete the container with all it holds; does nothing when it is gone.

        A lease on the container is broken first.

        Raises:
            ContainerNotOursError: it was not created by this process.
        """
        owner = percent_encoded(process_id)

        async def delete(client: ContainerClient) -> None:
            properties = await client.get_container_properties()
            if properties.metadata.get(PROCESS_ID_METADATA) != owner:
                raise ContainerNotOursError(Refusal("Delete Container", f"{account}/{container}", 409))
            if properties.lease.state == "leased":
                await _break_lease(client)
            await client.delete_container()

        try:
            await self._calls.run("Delete Container", account, container, delete, key_name=key_name)
        except (ContainerNotFoundError, ContainerBeingDeletedError):
            return

    async def read_small_blob(
        self, account: str, container: str, name: str, *, max_bytes: int, key_name: str | None = None
    ) -> bytes | None:
        """The blob's content, or None when there is no such blob.

        Raises:
            BlobTooLargeError: it is larger than `max_bytes`; no more than that is read.
            ContainerNotFoundError: no such container.
        """

        async def read(client: ContainerClient) -> bytes:
            try:
                download = await client.download_blob(name, offset=0, length=max_bytes + 1)
            except HttpResponseError as error:
                if error.status_code != _RANGE_NOT_SATISFIABLE:
                    raise
                return b""  # no range of an empty blob can be read
            return await download.readall()

        try:
            content = await self._calls.run("Get Blob", account, container, read, blob=name, key_name=key_name)
        except BlobNotFoundError:
            return None
        if len(content) > max_bytes:
            raise BlobTooLargeError(resource=f"{account}/{container}/{name}", max_bytes=max_bytes)
        return content

    async def list_objects(
        self,
        account: str,
        container: str,
        *,
        prefix: str = "",
        key_name: str | None = None,
        tags: Tags = Tags.LEAVE_OUT,
    ) -> AsyncIterator[ListedObject]:
        """Every blob whose name starts with `prefix`, as `list_pages` tells them."""
        async for page in self.list_pages(account, container, prefix=prefix, key_name=key_name, tags=tags):
            for listed in page.objects:
                yield listed

    async def list_pages(
        self,
        account: str,
        container: str,
        *,
        prefix: str = "",
        continuation: str | None = None,
        key_name: str | None = None,
        tags: Tags = Tags.LEAVE_OUT,
    ) -> AsyncIterator[ListedPage]:
        """Every blob whose name starts with `prefix`, in the service's order; one page is held at a time.

        `continuation`: a page's `next_continuation`, to go on after that page, even in another process; None begins
        at the first. Not a secret. The stubs that stand for directories in accounts with hierarchical namespace are
        left out.

        Raises:
            ContainerNotFoundError: no such container.
            ListingPositionInvalidError: the service does not accept the continuation.
        """
        listing = Listing(
            signers=self._signers,
            requests=self._requests,
            endpoints=self._endpoints,
            account=account,
            container=container,
            prefix=prefix,
            key_name=key_name,
            page_size=LIST_PAGE_SIZE,
        )
        async for page in listing.pages(continuation, tags):
            yield page

    async def get_object(
        self, account: str, container: str, name: str, *, key_name: str | None = None, tags: Tags = Tags.LEAVE_OUT
    ) -> ListedObject:
        """One blob's properties.

        Raises:
            BlobNotFoundError, ContainerNotFoundError: no such blob or container.
        """

        async def properties(client: ContainerClient) -> ListedObject:
            return listed_object(await client.get_blob_client(name).get_blob_properties())

        operation = "Get Blob Properties"
        found = await self._calls.run(operation, account, container, properties, blob=name, key_name=key_name)
        if tags is Tags.LEAVE_OUT:
            return found
        return replace(found, tags=await self._tags(account, container, name, key_name, tags))

    async def _tags(
        self, account: str, container: str, name: str, key_name: str | None, tags: Tags
    ) -> dict[str, str] | None:
        async def read(client: ContainerClient) -> dict[str, str]:
            return dict(await client.get_blob_client(name).get_blob_tags())

        try:
            return await self._calls.run("Get Blob Tags", account, container, read, blob=name, key_name=key_name)
        except StorageRefusedError as error:
            if tags is Tags.IF_PERMITTED and is_refusal_of_tags(error):
                return None
            raise

    async def _owner(self, account: str, container: str, key_name: str | None) -> str | None:
        async def owner(client: ContainerClient) -> str | None:
            return (await client.get_container_properties()).metadata.get(PROCESS_ID_METADATA)

        return await self._calls.run("Get Container Properties", account, container, owner, key_name=key_name)


def _signed(signer: SasSigner, container: str, permission: str, folder: str) -> SasToken:
    if folder:
        return signer.for_directory(container, folder, permission)
    return signer.for_container(container, permission)


async def _break_lease(client: ContainerClient) -> None:
    """Break whoever's lease at once: the container is ours, and a lease must not keep it alive."""
    await BlobLeaseClient(client).break_lease(lease_break_period=0)
