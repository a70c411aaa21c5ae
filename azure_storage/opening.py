"""Opens this participant's storage as its settings say: the session, the addresses, and what opens the accounts."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from azure_storage.account_access import AccountAccesses, Credentials
from azure_storage.account_keys import AccountKeys
from azure_storage.connection_settings import with_endpoints
from azure_storage.containers import CALL_SECONDS, ObjectStorage
from azure_storage.endpoints import StorageEndpoints
from azure_storage.session import StorageSession, open_storage_session
from azure_storage.settings import AzureStorageSettings
from connector_spi.clock import Clock
from connector_spi.errors import ConfigurationError
from connector_spi.vault import Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedStorage:
    """What the adapters of AzureStorage share."""

    endpoints: StorageEndpoints
    session: StorageSession
    objects: ObjectStorage


@asynccontextmanager
async def open_storage(
    settings: AzureStorageSettings,
    vault: Vault,
    clock: Clock,
    *,
    credentials: Credentials | None = None,
    call_seconds: float = CALL_SECONDS,
) -> AsyncIterator[OpenedStorage]:
    """The storage, closed at the end. `credentials`: of the identities that accounts name.

    Raises:
        ConfigurationError: a setting cannot work.
        ConnectionStringMalformedError: that of a listed account cannot be used.
        SecretNotFoundError, VaultForbiddenError, VaultUnavailableError: it could not be read.
    """
    settings = await with_endpoints(settings, vault)
    endpoints = StorageEndpoints.of(settings)
    accesses = AccountAccesses(AccountKeys(vault, settings, clock=clock), settings, credentials)
    async with open_storage_session(tls=tls_of(settings.ca_file)) as session:
        objects = ObjectStorage(
            endpoints=endpoints,
            accesses=accesses,
            clock=clock,
            session=session,
            call_seconds=call_seconds,
            delegation_seconds=settings.delegation_sas_seconds,
        )
        yield OpenedStorage(endpoints=endpoints, session=session, objects=objects)


def tls_of(ca_file: Path | None) -> ssl.SSLContext | None:
    """What certificates are checked with: the authorities in the file alone, or (None) the system's.

    Raises:
        ConfigurationError: the file cannot be read, or holds no certificates.
    """
    if ca_file is None:
        return None
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        problem = f"cannot be read as certificates: {ca_file} ({type(error).__name__})"
        raise ConfigurationError(key="storage.ca_file", problem=problem, remedy="Name a PEM file.") from error
