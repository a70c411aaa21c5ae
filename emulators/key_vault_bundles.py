"""Secrets as Key Vault's API shows them: bundles with the value, items without it, and lists in pages."""

from typing import Any, Final
from urllib.parse import urlencode

from emulators.key_vault_errors import KeyVaultFaultError, bad_parameter, secret_not_found
from emulators.key_vault_secrets import RETENTION_DAYS, SecretVersion, StoredSecret, purge_time

Json = dict[str, Any]

LARGEST_PAGE: Final = 25


class Bundles:
    """Shows secrets of the vault at `vault_url`."""

    def __init__(self, vault_url: str, *, purge_protection: bool) -> None:
        self._url = vault_url.rstrip("/")
        self._recovery_level = "Recoverable" if purge_protection else "Recoverable+Purgeable"

    def version(self, secret: StoredSecret, version_id: str = "") -> Json:
        """A version with its value; the newest without an id.

        Raises:
            KeyVaultFaultError: there is no such version, or it is switched off.
        """
        chosen = next((v for v in secret.versions if v.id == version_id), None) if version_id else secret.versions[-1]
        if chosen is None:
            raise secret_not_found(f"{secret.name}/{version_id}")
        if not chosen.enabled:
            text = "Operation get is not allowed on a disabled secret."
            raise KeyVaultFaultError(403, "Forbidden", text, inner="SecretDisabled")
        return {"value": chosen.value, **self.version_item(secret, chosen)}

    def changed(self, secret: StoredSecret) -> Json:
        """The newest version with its value, whether it can be read or not: the answer to a change."""
        return {"value": secret.versions[-1].value, **self.version_item(secret, secret.versions[-1])}

    def version_item(self, secret: StoredSecret, version: SecretVersion) -> Json:
        """A version without its value."""
        return self._item(f"{self._url}/secrets/{secret.name}/{version.id}", version)

    def item(self, secret: StoredSecret) -> Json:
        """The secret without its value."""
        return self._item(f"{self._url}/secrets/{secret.name}", secret.versions[-1])

    def deleted(self, secret: StoredSecret) -> Json:
        """A deleted secret, without its value."""
        newest = secret.versions[-1]
        return {**self.version_item(secret, newest), **self._deletion(secret)}

    def deleted_item(self, secret: StoredSecret) -> Json:
        """A deleted secret in a list."""
        return {**self.item(secret), **self._deletion(secret)}

    def _deletion(self, secret: StoredSecret) -> Json:
        return {
            "recoveryId": f"{self._url}/deletedsecrets/{secret.name}",
            "deletedDate": secret.deleted_at,
            "scheduledPurgeDate": purge_time(secret),
        }

    def _item(self, identifier: str, version: SecretVersion) -> Json:
        attributes = {
            "enabled": version.enabled,
            "nbf": version.not_before,
            "exp": version.expires,
            "created": version.created,
            "updated": version.created,
            "recoveryLevel": self._recovery_level,
            "recoverableDays": RETENTION_DAYS,
        }
        shown = {"id": identifier, "contentType": version.content_type, "tags": version.tags}
        return {
            "attributes": {name: value for name, value in attributes.items() if value is not None},
            **{name: value for name, value in shown.items() if value is not None},
        }


def page(items: list[Json], query: dict[str, str], address: str) -> Json:
    """One page of a list, with the address of the next one where there is one. `address`: of the list itself.

    Raises:
        KeyVaultFaultError: the query asks for too many, or continues nothing.
    """
    size, start = query.get("maxresults", str(LARGEST_PAGE)), query.get("$skiptoken", "0")
    if not size.isdigit() or not 1 <= int(size) <= LARGEST_PAGE:
        raise bad_parameter(f"maxresults must be between 1 and {LARGEST_PAGE}.")
    if not start.isdigit():
        raise bad_parameter("The skip token is invalid.")
    end = int(start) + int(size)
    rest = {**query, "maxresults": size, "$skiptoken": str(end)}
    next_link = f"{address}?{urlencode(rest)}" if end < len(items) else None
    return {"value": items[int(start) : end], "nextLink": next_link}
