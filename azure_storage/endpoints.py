"""From account, container and blob name to a URL.

The host comes from the operator's template alone. Account names often come from another organisation; they are
checked against Azure's own rule, so that none can change the host, the port or the path.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

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

    Raises:
        ConfigurationError: the template has no place for the account, or is not a plain http(s) address.
    """

    template: str = AZURE_PUBLIC_CLOUD

    def __post_init__(self) -> None:
        template = self.template.strip().replace("%s", "{account}").rstrip("/")
        object.__setattr__(self, "template", template)
        if template.count("{account}") != 1 or "{" in template.replace("{account}", ""):
            raise _template_error("must hold {account} exactly once")
        parts = urlsplit(template)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise _template_error("is not an http or https address")
        if parts.query or parts.fragment or "@" in parts.netloc:
            raise _template_error("must not hold a user, a query or a fragment")

    @property
    def is_https(self) -> bool:
        """Whether the endpoint is reached over TLS; a SAS is then limited to https."""
        return self.template.startswith("https://")

    def account_url(self, account: str) -> str:
        """URL of the account, without a trailing slash.

        Raises:
            InvalidInputError: the account name breaks Azure's rule.
        """
        return self.template.replace("{account}", check_account(account))

    def container_url(self, account: str, container: str) -> str:
        """URL of the container, without a trailing slash."""
        return f"{self.account_url(account)}/{quote(container, safe='$')}"

    def blob_url(self, account: str, container: str, blob_name: str) -> str:
        """URL of the blob: the name as percent-encoded UTF-8, its slashes kept."""
        return f"{self.container_url(account, container)}/{quote(blob_name, safe='/')}"


def _template_error(problem: str) -> ConfigurationError:
    return ConfigurationError(key="storage.endpoint_template", problem=problem, remedy=f"Example: {AZURE_PUBLIC_CLOUD}")
