"""Clients of the azure-storage-blob SDK that share one session, and the SDK's errors as ours.

The SDK serves the control operations. It does not retry here (`retry_total=0`): whoever calls this package retries,
and knows its own deadline.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, cast

import aiohttp
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.pipeline.transport import AioHttpTransport, AsyncHttpResponse
from azure.storage.blob.aio import BlobServiceClient, ContainerClient

from azure_storage.account_access import AccountAccess, SharedKey
from azure_storage.endpoints import StorageEndpoints
from azure_storage.error_catalogue import error_of
from azure_storage.errors import StorageUnavailableError
from azure_storage.session import STORAGE_API_VERSION, StorageSession

_CONNECT_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class _AccountClient:
    access: AccountAccess
    client: BlobServiceClient


class SdkClients:
    """One service client per account, made anew when what opens the account changes."""

    def __init__(self, endpoints: StorageEndpoints, session: StorageSession, *, read_timeout_seconds: float) -> None:
        self._endpoints = endpoints
        self._read_timeout_seconds = read_timeout_seconds
        self._transport = AioHttpTransport(session=session.sdk, session_owner=False)
        self._accounts: dict[str, _AccountClient] = {}

    def container(self, account: str, container: str, access: AccountAccess) -> ContainerClient:
        """A client for the container that signs with the account key, or sends the identity's tokens."""
        return self.service(account, access).get_container_client(container)

    def service(self, account: str, access: AccountAccess) -> BlobServiceClient:
        """The same for the account."""
        known = self._accounts.get(account)
        if known is None or known.access != access:
            known = _AccountClient(access, self._service_client(account, access))
            self._accounts[account] = known
        return known.client

    def _service_client(self, account: str, access: AccountAccess) -> BlobServiceClient:
        return BlobServiceClient(
            self._endpoints.account_url(account),
            credential=_credential(account, access),
            transport=self._transport,
            api_version=STORAGE_API_VERSION,
            retry_total=0,
            connection_timeout=_CONNECT_SECONDS,
            read_timeout=self._read_timeout_seconds,
        )


def _credential(account: str, access: AccountAccess) -> dict[str, str] | AsyncTokenCredential:
    if isinstance(access, SharedKey):
        return {"account_name": account, "account_key": access.account_key}
    return access.credential


@contextmanager
def sdk_errors(operation: str, resource: str) -> Iterator[None]:
    """Turn what the SDK raises inside into a leaf of our error tree.

    Raises:
        StorageRefusedError, StorageTransientError: as the catalogue says.
        StorageUnavailableError: there was no complete answer.
    """
    try:
        yield
    except HttpResponseError as error:
        if error.response is None or error.status_code is None:
            raise _unavailable(operation, resource, error) from None
        headers = cast("AsyncHttpResponse", error.response).headers
        raise error_of(operation, resource, status=error.status_code, headers=headers) from None
    except (AzureError, aiohttp.ClientError, OSError) as error:
        raise _unavailable(operation, resource, error) from None


def _unavailable(operation: str, resource: str, error: Exception) -> StorageUnavailableError:
    """Only the kind of the error: its text may hold a URL."""
    inner = getattr(error, "inner_exception", None) or error
    return StorageUnavailableError(operation=operation, resource=resource, problem=type(inner).__name__)
