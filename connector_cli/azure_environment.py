"""AZURE_STORAGE_CONNECTION_STRING, _CONTAINER and _ENDPOINT: variables that people who use other tools have already.

They describe one storage account, as an entry of [[storage.accounts]] does, and are made into one. What they say and
what the file says is never mixed: when both open an account, that is refused.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from pydantic import ValidationError

from azure_storage.connection_string import ConnectionString, ConnectionStringMalformedError
from azure_storage.endpoints import address_problem
from azure_storage.settings import StorageAccountSettings
from connector_cli.settings import ConnectorSettings
from connector_spi.errors import ConfigurationError

CONNECTION_STRING: Final = "AZURE_STORAGE_CONNECTION_STRING"
CONTAINER: Final = "AZURE_STORAGE_CONTAINER"
ENDPOINT: Final = "AZURE_STORAGE_ENDPOINT"
_NOT_READ: Final = ("AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_TOKEN")
"""Variables of the Azure command line; an account with a key is named in the file, its key rests in the vault."""


def with_azure_environment(settings: ConnectorSettings, environ: Mapping[str, str]) -> ConnectorSettings:
    """The settings with the account of the environment among the storage accounts. Empty variables count as not set.

    Raises:
        ConfigurationError: a variable is wrong, needs another one, or contradicts the file; names it.
    """
    text, container, endpoint = (environ.get(name, "").strip() for name in (CONNECTION_STRING, CONTAINER, ENDPOINT))
    if not text:
        _check_alone({CONTAINER: container, ENDPOINT: endpoint})
        return settings
    account = _account(_parsed(text, development=settings.storage.development), container, endpoint)
    for listed in settings.storage.accounts:
        if listed.name == account.name:
            raise ConfigurationError(
                key=CONNECTION_STRING,
                problem=f"opens the storage account {account.name}, which [[storage.accounts]] opens as well",
                remedy="Unset the variable, or remove the entry.",
            )
    accounts = (*settings.storage.accounts, account)
    return settings.model_copy(update={"storage": settings.storage.model_copy(update={"accounts": accounts})})


def environment_notices(settings: ConnectorSettings, environ: Mapping[str, str]) -> Iterator[str]:
    """What of the environment counts for storage, and what does not, for the log; never a value that is secret."""
    for account in settings.storage.accounts:
        if account.connection_string_env == CONNECTION_STRING:
            place = account.endpoint or "its usual address"
            yield f"{CONNECTION_STRING} opens the storage account {account.name} at {place}"
            if account.default_container:
                container = account.default_container
                yield f"{CONTAINER}: sources in {account.name} that name no container are in {container!r}"
    if ignored := [name for name in _NOT_READ if environ.get(name)]:
        yield f"{', '.join(ignored)} in the environment count for nothing here; see docs/azure.md"


def _check_alone(others: Mapping[str, str]) -> None:
    for name, value in others.items():
        if value:
            raise ConfigurationError(
                key=name,
                problem=f"is set, and {CONNECTION_STRING} is not, so that it is of no account",
                remedy=f"Set {CONNECTION_STRING} too, or unset {name} and use [[storage.accounts]].",
            )


def _parsed(text: str, *, development: bool) -> ConnectionString:
    try:
        return ConnectionString.parse(text, source=CONNECTION_STRING, development=development)
    except ConnectionStringMalformedError as error:
        raise ConfigurationError(
            key=CONNECTION_STRING, problem=f"cannot be used: {error.problem}", remedy=error.hint
        ) from None


def _account(found: ConnectionString, container: str, endpoint: str) -> StorageAccountSettings:
    if endpoint and (problem := address_problem(endpoint)):
        raise ConfigurationError(key=ENDPOINT, problem=problem, remedy="Example: https://acme.blob.core.windows.net")
    try:
        return StorageAccountSettings(
            name=found.account_name,
            connection_string_env=CONNECTION_STRING,
            endpoint=endpoint or found.blob_endpoint,
            default_container=container or None,
        )
    except ValidationError as error:
        setting = error.errors(include_input=False)[0]["loc"][0]
        variables = {"default_container": CONTAINER, "endpoint": ENDPOINT if endpoint else CONNECTION_STRING}
        what = "container" if setting == "default_container" else "Blob address"
        raise ConfigurationError(
            key=variables.get(str(setting), CONNECTION_STRING), problem=f"holds what is no {what}"
        ) from None
