"""Which storage accounts this participant has, and what opens each of them: `[storage]` of its configuration."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

_Alias = Annotated[str, StringConstraints(max_length=200, pattern=r"^[A-Za-z0-9._/-]+$")]

_Container = Annotated[str, StringConstraints(max_length=63, pattern=r"^[a-z0-9](-?[a-z0-9]){2,62}$")]


class StorageAccountSettings(BaseModel):
    """One account, and what opens it: one of an identity, a key and a connection string. Nothing else is tried."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{3,24}$")]
    identity: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = None
    """Name of one of `[azure_identities]`: tokens of Entra ID, and SAS signed with a user delegation key."""
    key_alias: _Alias | None = None
    """Vault alias of the account key."""
    connection_string_alias: _Alias | None = None
    """Vault alias of a connection string."""
    connection_string_env: Annotated[str, StringConstraints(min_length=1)] | None = None
    """Name of an environment variable that holds a connection string. It is read once, so it cannot be rotated."""
    endpoint: Annotated[str, StringConstraints(pattern=r"^https?://[^?#\s]+$", max_length=253)] | None = None
    """The account's Blob address, where it is not that of its connection string or of the template."""
    default_container: _Container | None = None
    """The container of sources in this account that name none. Destinations without one get one of their own."""
    hierarchical_namespace: bool = False
    """Data Lake Storage Gen2: a SAS may then be limited to a directory."""

    @model_validator(mode="after")
    def _one_access(self) -> Self:
        ways = (self.identity, self.key_alias, self.connection_string_alias, self.connection_string_env)
        if sum(way is not None for way in ways) != 1:
            raise ValueError("set exactly one of identity, key_alias, connection_string_alias, connection_string_env")
        return self


class AzureStorageSettings(BaseModel):
    """What both planes know of this participant's storage.

    An account that is not listed is opened with the account key under its own name in the vault (or EDC's older
    name), never with an identity.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoint_template: str = "https://{account}.blob.core.windows.net"
    ca_file: Path | None = None
    """PEM of the authorities that storage's certificate is checked with, where they are private."""
    accounts: tuple[StorageAccountSettings, ...] = ()
    development: bool = False
    """Account keys and connection strings are all right here: no warning at the start."""
    delegation_sas_seconds: Annotated[float, Field(ge=5, le=7 * 86400)] = 3600
    """Life of a SAS that a user delegation key signs. It cannot be revoked by itself, hence shorter; it is renewed."""
