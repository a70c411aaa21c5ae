"""What is wrong with storage accounts and identities that are each fine alone, found before anything is opened."""

import difflib
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from azure_storage.endpoints import StorageEndpoints
from connector_cli.settings import ConnectorSettings, is_loopback
from connector_spi.errors import ConfigurationError
from entra_identity.settings import ClientSecretSettings
from vault_adapters.settings import AzureKeyVaultSettings

_ANY_ACCOUNT: Final = "anyaccount"
_USE_TLS: Final = "Use https. On a developer's machine: development = true in [storage]."


def azure_problems(settings: ConnectorSettings) -> Iterator[ConfigurationError]:
    """Every problem, each with its key."""
    yield from _accounts(settings)
    yield from _endpoints(settings)
    yield from _vault_identity(settings)
    yield from _authorities(settings)


def clear_text_problems(settings: ConnectorSettings) -> Iterator[ConfigurationError]:
    """Addresses at which keys' signatures would cross a network that others are on in clear text.

    Asked once more when the connection strings have been read, which name addresses too.

    Raises:
        ConfigurationError: the addresses cannot be read at all.
    """
    storage = settings.storage
    if storage.development:
        return
    if _is_clear_text(StorageEndpoints(storage.endpoint_template).account_url(_ANY_ACCOUNT)):
        yield ConfigurationError(key="storage.endpoint_template", problem=_CLEAR_TEXT, remedy=_USE_TLS)
    for account in storage.accounts:
        if account.endpoint is not None and _is_clear_text(account.endpoint):
            yield ConfigurationError(
                key=f"storage.accounts.{account.name}.endpoint", problem=_CLEAR_TEXT, remedy=_USE_TLS
            )


_CLEAR_TEXT: Final = "is plain http to another machine, so that signatures could be read on the way"


def _is_clear_text(url: str) -> bool:
    parts = urlsplit(url)
    host = parts.hostname or ""
    return parts.scheme == "http" and not (is_loopback(host) or host.endswith(".localhost"))


def _accounts(settings: ConnectorSettings) -> Iterator[ConfigurationError]:
    seen: set[str] = set()
    for index, account in enumerate(settings.storage.accounts):
        if account.name in seen:
            yield ConfigurationError(
                key=f"storage.accounts[{index}].name", problem=f"names the storage account {account.name} twice"
            )
        seen.add(account.name)
        if account.identity is not None:
            yield from _identity(settings, f"storage.accounts[{index}].identity", account.identity)


def _endpoints(settings: ConnectorSettings) -> Iterator[ConfigurationError]:
    try:
        endpoints = StorageEndpoints.of(settings.storage)
    except ConfigurationError as error:
        yield error
        return
    yield from clear_text_problems(settings)
    for index, account in enumerate(settings.storage.accounts):
        if account.identity is not None and not endpoints.is_https(account.name):
            yield ConfigurationError(
                key=f"storage.accounts[{index}].identity",
                problem="cannot be used: the account's address is not https, and tokens are never sent in clear text",
                remedy="Use an https address, or an account key.",
            )


def _vault_identity(settings: ConnectorSettings) -> Iterator[ConfigurationError]:
    if not isinstance(settings.vault, AzureKeyVaultSettings):
        return
    name = settings.vault.identity
    yield from _identity(settings, "vault.identity", name)
    identity = settings.azure_identities.get(name)
    if isinstance(identity, ClientSecretSettings) and identity.client_secret_alias is not None:
        yield ConfigurationError(
            key=f"azure_identities.{name}.client_secret_alias",
            problem="rests in the vault that this identity opens",
            remedy="Use client_secret_file or client_secret_env.",
        )


def _identity(settings: ConnectorSettings, key: str, name: str) -> Iterator[ConfigurationError]:
    if name in settings.azure_identities:
        return
    close = difflib.get_close_matches(name, settings.azure_identities, n=1)
    yield ConfigurationError(
        key=key,
        problem=f"names the identity {name!r}, which is not there",
        remedy=f"Did you mean {close[0]!r}?" if close else f"Describe it in [azure_identities.{name}].",
    )


def _authorities(settings: ConnectorSettings) -> Iterator[ConfigurationError]:
    files = {"storage.ca_file": settings.storage.ca_file, "vault.ca_file": getattr(settings.vault, "ca_file", None)}
    files |= {f"azure_identities.{name}.ca_file": each.ca_file for name, each in settings.azure_identities.items()}
    for key, file in files.items():
        if file is not None and (problem := _file_problem(file)):
            yield ConfigurationError(key=key, problem=f"{file} {problem}", remedy="Name a PEM file of certificates.")


def _file_problem(file: Path) -> str | None:
    try:
        ssl.create_default_context(cafile=file)
    except ssl.SSLError:
        return "holds no certificate"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return None
