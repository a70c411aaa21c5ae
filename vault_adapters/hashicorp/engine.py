"""The calls to a KV version 2 engine, for the entries of one folder. Blocking."""

from dataclasses import dataclass
from typing import Any

from hvac.api.secrets_engines import KvV2

from connector_spi.errors import VaultForbiddenError
from vault_adapters.hashicorp.connections import VaultAdapter
from vault_adapters.hashicorp.errors import EntryAbsentError
from vault_adapters.hashicorp.tokens import part_of


@dataclass(frozen=True, slots=True)
class KeyValueFolder:
    """One folder of one engine; entries are named as in `vault_adapters.hashicorp.names`."""

    mount: str
    folder: str

    def read(self, adapter: VaultAdapter, name: str) -> dict[str, Any]:
        """The newest version of an entry.

        Raises:
            EntryAbsentError: there is no such entry, or its newest version was deleted.
            VaultForbiddenError: the engine is not one of version 2.
        """
        response = KvV2(adapter).read_secret_version(
            self._path(name), mount_point=self.mount, raise_on_deleted_version=True
        )
        fields = part_of(response, "data").get("data")
        if not isinstance(fields, dict):
            raise VaultForbiddenError(f"The engine at {self.mount!r} is not KV version 2. Check vault.mount.")
        return fields

    def version(self, adapter: VaultAdapter, name: str) -> int:
        """The number of the newest version, deleted or not; 0 when there is no entry. Reads no secret."""
        try:
            response = KvV2(adapter).read_secret_metadata(self._path(name), mount_point=self.mount)
        except EntryAbsentError:
            return 0
        return int(part_of(response, "data")["current_version"])

    def write(self, adapter: VaultAdapter, name: str, fields: dict[str, str], *, over: int) -> None:
        """A new version on top of version `over` (0: a new entry).

        Raises:
            VersionConflictError: the newest version is another one.
        """
        KvV2(adapter).create_or_update_secret(self._path(name), fields, cas=over, mount_point=self.mount)

    def delete(self, adapter: VaultAdapter, name: str) -> None:
        """Remove an entry with all its versions, if it is there."""
        try:
            KvV2(adapter).delete_metadata_and_all_versions(self._path(name), mount_point=self.mount)
        except EntryAbsentError:
            return

    def names(self, adapter: VaultAdapter) -> list[str]:
        """The names of all entries and folders in this folder, folders with a slash at their end."""
        try:
            response = KvV2(adapter).list_secrets(self.folder, mount_point=self.mount)
        except EntryAbsentError:
            return []
        return [str(name) for name in part_of(response, "data").get("keys") or ()]

    def _path(self, name: str) -> str:
        return f"{self.folder}/{name}"
