"""Pages of a listing, each with the position from which the next one goes on, also in another process."""

from collections.abc import AsyncIterator
from enum import Enum
from typing import Final

from azure.storage.blob import BlobProperties
from azure.storage.blob.aio import ContainerClient

from azure_storage.account_calls import AccountCalls
from azure_storage.errors import (
    AuthorizationFailureError,
    AuthorizationPermissionMismatchError,
    ListingPositionInvalidError,
    StorageRefusedError,
)
from azure_storage.listed_object import ListedObject, ListedPage, is_directory_stub, listed_object

_BAD_REQUEST: Final = 400
_CONFLICT: Final = 409
_NOT_PERMITTED: Final = (AuthorizationPermissionMismatchError, AuthorizationFailureError)


class Tags(Enum):
    """Whether index tags are read along with the objects."""

    LEAVE_OUT = "leave out"
    IF_PERMITTED = "if permitted"
    """Read without them where the service refuses them; the result says so."""
    REQUIRE = "require"


class Listing:
    """The blobs of one container whose names start with a prefix."""

    def __init__(
        self, calls: AccountCalls, account: str, container: str, *, prefix: str, key_name: str | None, page_size: int
    ) -> None:
        self._calls = calls
        self._account = account
        self._container = container
        self._prefix = prefix
        self._key_name = key_name
        self._page_size = page_size

    async def pages(self, continuation: str | None, tags: Tags) -> AsyncIterator[ListedPage]:
        """Every page from the one at `continuation` (None: the first) to the last."""
        with_tags, refused, more = tags is not Tags.LEAVE_OUT, None, True
        while more:
            try:
                page = await self._page(continuation, with_tags=with_tags)
            except StorageRefusedError as error:
                if not (with_tags and tags is Tags.IF_PERMITTED and is_refusal_of_tags(error)):
                    raise
                with_tags, refused = False, error.message
                continue
            objects = tuple(listed for listed in page.objects if not is_directory_stub(listed))
            yield ListedPage(objects, page.next_continuation, refused)
            continuation, more = page.next_continuation, page.next_continuation is not None

    async def _page(self, continuation: str | None, *, with_tags: bool) -> ListedPage:
        include = ["metadata", "tags"] if with_tags else ["metadata"]

        async def page(client: ContainerClient) -> ListedPage:
            blobs = client.list_blobs(name_starts_with=self._prefix, include=include, results_per_page=self._page_size)
            pages = blobs.by_page(continuation_token=continuation)
            found = tuple([_listed(blob, with_tags=with_tags) async for blob in await anext(pages)])
            return ListedPage(found, getattr(pages, "continuation_token", None) or None)

        try:
            return await self._calls.run("List Blobs", self._account, self._container, page, key_name=self._key_name)
        except StorageRefusedError as error:
            if continuation is not None and error.refusal.status == _BAD_REQUEST:
                raise ListingPositionInvalidError(error.refusal) from error
            raise


def is_refusal_of_tags(error: StorageRefusedError) -> bool:
    """Whether a request that asked for tags failed because of them: no permission, or an account that has none."""
    return isinstance(error, _NOT_PERMITTED) or (
        error.refusal.status in {_BAD_REQUEST, _CONFLICT} and "NotSupported" in error.refusal.error_code
    )


def _listed(blob: BlobProperties, *, with_tags: bool) -> ListedObject:
    return listed_object(blob, tags=dict(blob.tags or {}) if with_tags else None)
