"""Pages of a listing, each with the position from which the next one goes on, also in another process."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final
from urllib.parse import quote, urlencode

from azure_storage.account_signers import AccountSigners
from azure_storage.endpoints import StorageEndpoints
from azure_storage.errors import (
    AuthorizationFailureError,
    AuthorizationPermissionMismatchError,
    ListingPositionInvalidError,
    StorageRefusedError,
)
from azure_storage.listed_object import ListedPage
from azure_storage.listing_xml import parsed_page
from azure_storage.sas_signing import SasSigner
from azure_storage.signed_requests import SignedRequests, unavailable

_OPERATION: Final = "List Blobs"
_SIGNATURE_SECONDS: Final = 900.0
_OK: Final = 200
_BAD_REQUEST: Final = 400
_CONFLICT: Final = 409
_NOT_PERMITTED: Final = (AuthorizationPermissionMismatchError, AuthorizationFailureError)


class Tags(Enum):
    """Whether index tags are read along with the objects."""

    LEAVE_OUT = "leave out"
    IF_PERMITTED = "if permitted"
    """Read without them where the service refuses them; the result says so."""
    REQUIRE = "require"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The blobs of one container whose names start with a prefix."""

    signers: AccountSigners
    requests: SignedRequests
    endpoints: StorageEndpoints
    account: str
    container: str
    prefix: str
    key_name: str | None
    page_size: int

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
            yield replace(page, tags_refused=refused)
            continuation, more = page.next_continuation, page.next_continuation is not None

    async def _page(self, continuation: str | None, *, with_tags: bool) -> ListedPage:
        query = self._query(continuation, with_tags=with_tags)

        async def page(signer: SasSigner) -> ListedPage:
            token = signer.for_container(self.container, "lt" if with_tags else "l")
            url = token.applied_to(self.endpoints.container_url(self.account, self.container))
            answer = await self.requests.send("GET", url, _OPERATION, _OK, headers={}, query=query)
            try:
                return parsed_page(answer.body, with_tags=with_tags)
            except (ValueError, KeyError) as error:
                raise unavailable(_OPERATION, url, str(error)) from error

        try:
            return await self.signers.signed(
                self.account, page, key_name=self.key_name, lifetime_seconds=_SIGNATURE_SECONDS
            )
        except StorageRefusedError as error:
            if continuation is not None and error.refusal.status == _BAD_REQUEST:
                raise ListingPositionInvalidError(error.refusal) from error
            raise

    def _query(self, continuation: str | None, *, with_tags: bool) -> str:
        parameters = {
            "restype": "container",
            "comp": "list",
            "include": "metadata,tags" if with_tags else "metadata",
            "maxresults": str(self.page_size),
            "prefix": self.prefix,
            "marker": continuation or "",
        }
        return urlencode({name: value for name, value in parameters.items() if value}, quote_via=quote)


def is_refusal_of_tags(error: StorageRefusedError) -> bool:
    """Whether a request that asked for tags failed because of them: no permission, or an account that has none."""
    return isinstance(error, _NOT_PERMITTED) or (
        error.refusal.status in {_BAD_REQUEST, _CONFLICT} and "NotSupported" in error.refusal.error_code
    )
