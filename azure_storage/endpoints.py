"""From account, container and blob name to a URL.

The host comes from the operator's settings alone. Account names often come from another organisation; they are
checked against Azure's own rule, so that none can change the host, the port or the path.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import quote, urlsplit

from azure_storage.settings import AzureStorageSettings
from connector_spi.errors import ConfigurationError, InvalidInputError

AZURE_PUBLIC_CLOUD: Final = "https://{account}.blob.core.windows.net"
ACCOUNT_NAME: Final = re.compile(r"[a-z0-9]{3,24}")


def check_account(account: str, *, field: str = "account") -> str:
    """The account name, when Azure's rule allows it.

    Raises:
        InvalidInputError: it is not 3 to 24 lower-case letters and digits.
    """
    if not ACCOUNT_NAME.fullmatch(account):
        raise InvalidInputError(
            field=field,
            value=account,
            problem="is not the name of a storage account",
            remedy="Use 3 to 24 lower-case letters and digits.",
        )
    return account


@dataclass(frozen=True, slots=True)
class StorageEndpoints:
    """The URL template of the storage accounts; `{account}` (or EDC's `%s`) stands for the account name.

    Examples: `https://{account}.blob.core.windows.net`, `http://127.0.0.1:10000/{account}`.
    `accounts`: the addresses of accounts for which the template does not count.

    Raises:
        ConfigurationError: the template has no place for the account, or one is not a plain http(s) address.
    """

    template: str = AZURE_PUBLIC_CLOUD
    accounts: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: AzureStorageSettings) -> Self:
        """As the settings say: those of the accounts that have an address of their own, and the template.

        Raises:
            ConfigurationError: as for the class.
        """
        own = {account.name: account.endpoint for account in settings.accounts if account.endpoint is not None}
        return cls(settings.endpoint_template, own)

    def __post_init__(self) -> None:
        template = self.template.strip().replace("%s", "{account}").rstrip("/")
        object.__setattr__(self, "template", template)
        if template.count("{account}") != 1 or "{" in template.replace("{account}", ""):
            raise _template_error("must hold {account} exactly once")
        if problem := address_problem(template):
            raise _template_error(problem)
        object.__setattr__(self, "accounts", {name: _own_address(name, url) for name, url in self.accounts.items()})

    def is_https(self, account: str) -> bool:
        """Whether the account is reached over TLS; a SAS is then limited to https."""
        return self.account_url(account).startswith("https://")

    def account_url(self, account: str) -> str:
        """URL of the account, without a trailing slash.

        Raises:
            InvalidInputError: the account name breaks Azure's rule.
        """
        own = self.accounts.get(check_account(account))
        return own if own is not None else self.template.replace("{account}", account)

    def container_url(self, account: str, container: str) -> str:
        """URL of the container, without a trailing slash."""
        return f"{self.account_url(account)}/{quote(container, safe='$')}"

    def blob_url(self, account: str, container: str, blob_name: str) -> str:
        """URL of the blob: the name as percent-encoded UTF-8, its slashes kept."""
        return f"{self.container_url(account, container)}/{quote(blob_name, safe='/')}"


def address_problem(url: str) -> str | None:
    """What is wrong with the address of an account, if anything; it can end a sentence that begins with its name."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return "is not an http or https address"
    if parts.query or parts.fragment or "@" in parts.netloc:
        return "must not hold a user, a query or a fragment"
    return None


def _own_address(account: str, url: str) -> str:
    if problem := address_problem(url):
        remedy = f"Example: {AZURE_PUBLIC_CLOUD.replace('{account}', account)}"
        raise ConfigurationError(key=f"storage.accounts.{account}.endpoint", problem=problem, remedy=remedy)
    return url.strip().rstrip("/")


def _template_error(problem: str) -> ConfigurationError:
    return ConfigurationError(key="storage.endpoint_template", problem=problem, remedy=f"Example: {AZURE_PUBLIC_CLOUD}")
