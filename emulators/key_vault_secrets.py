"""The secrets of a vault, with what makes Azure's own so: versions, deletion in two steps, and all of it slow."""

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, Field

from emulators.key_vault_errors import (
    KeyVaultFaultError,
    bad_parameter,
    conflict,
    deleted_secret_not_found,
    secret_not_found,
)
from emulators.state_file import read_state, save_state

LONGEST_VALUE: Final = 25_600
RETENTION_DAYS: Final = 90
_NAME: Final = re.compile(r"[0-9a-zA-Z-]{1,127}")
_DAY_SECONDS: Final = 86_400


class SecretVersion(BaseModel):
    """One version of a secret."""

    id: str
    value: str
    created: int
    enabled: bool = True
    not_before: int | None = None
    expires: int | None = None
    content_type: str | None = None
    tags: dict[str, str] | None = None


class StoredSecret(BaseModel):
    """All versions of a name, oldest first; which of the four states it is in, and since when it is settled.

    Until `settled` (seconds since 1970) the last change is under way: a deletion, a recovery, a purge.
    """

    name: str
    versions: list[SecretVersion]
    deleted_at: int | None = None
    purged: bool = False
    settled: float = 0


class KeyVaultState(BaseModel):
    """What a restart keeps when there is a file for it. Names compare without case, as the service does it."""

    secrets: dict[str, StoredSecret] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyVaultRules:
    """How long a deletion, a recovery or a purge takes, and whether purging is possible at all."""

    deletion_seconds: float = 0
    purge_protection: bool = False
    data: Path | None = None


class KeyVaultSecrets:
    """Keeps the secrets. Every method raises KeyVaultFaultError as the service would answer."""

    def __init__(self, rules: KeyVaultRules, now: Callable[[], float]) -> None:
        self._rules = rules
        self._now = now
        self._state = read_state(rules.data, KeyVaultState)

    def set(self, name: str, body: dict[str, Any]) -> StoredSecret:
        """Add a version."""
        value = body.get("value")
        if not isinstance(value, str):
            raise bad_parameter("Property value is missing.")
        if len(value) > LONGEST_VALUE:
            raise bad_parameter(f"Secret value is longer than {LONGEST_VALUE} characters.")
        secret = self._held(name)
        if secret is None:
            secret = self._state.secrets[name.lower()] = StoredSecret(name=name, versions=[])
        self._refuse_unless_usable(secret)
        secret.versions.append(self._version(value, body))
        self._save()
        return secret

    def get(self, name: str) -> StoredSecret:
        """The secret of this name, when it is neither deleted nor on its way back."""
        secret = self._held(name)
        if secret is None or secret.deleted_at is not None or not self._is_settled(secret):
            raise secret_not_found(name)
        return secret

    def delete(self, name: str) -> StoredSecret:
        """Delete softly: the name stays taken."""
        secret = self.get(name)
        secret.deleted_at = int(self._now())
        self._settle_later(secret)
        return secret

    def get_deleted(self, name: str) -> StoredSecret:
        """The deleted secret of this name, once its deletion is done."""
        secret = self._held(name)
        if secret is None or secret.deleted_at is None or secret.purged or not self._is_settled(secret):
            raise deleted_secret_not_found(name)
        return secret

    def recover(self, name: str) -> StoredSecret:
        """Bring a deleted secret back."""
        secret = self._deleted_for_change(name)
        secret.deleted_at = None
        self._settle_later(secret)
        return secret

    def purge(self, name: str) -> None:
        """End a deleted secret for good; the name is free when that is done."""
        secret = self._deleted_for_change(name)
        if self._rules.purge_protection:
            raise KeyVaultFaultError(
                403, "Forbidden", 'Operation "purge" is not allowed because purge protection is enabled for this vault.'
            )
        secret.purged = True
        secret.versions.clear()
        self._settle_later(secret)

    def all(self) -> list[StoredSecret]:
        """Every secret that can be read, by name."""
        held = [secret for secret in self._present() if secret.deleted_at is None and self._is_settled(secret)]
        return sorted(held, key=lambda secret: secret.name)

    def all_deleted(self) -> list[StoredSecret]:
        """Every secret whose deletion is done, by name."""
        held = [secret for secret in self._present() if secret.deleted_at is not None]
        done = [secret for secret in held if self._is_settled(secret) and not secret.purged]
        return sorted(done, key=lambda secret: secret.name)

    def _held(self, name: str) -> StoredSecret | None:
        """The secret in whatever state; a purge that is done is carried out here."""
        if not _NAME.fullmatch(name):
            raise bad_parameter(f"The request URI contains an invalid name: {name}")
        secret = self._state.secrets.get(name.lower())
        if secret is not None and secret.purged and self._is_settled(secret):
            del self._state.secrets[name.lower()]
            return None
        return secret

    def _present(self) -> list[StoredSecret]:
        return [secret for name in list(self._state.secrets) if (secret := self._held(name)) is not None]

    def _refuse_unless_usable(self, secret: StoredSecret) -> None:
        name, settled = secret.name, self._is_settled(secret)
        if secret.purged or (secret.deleted_at is not None and not settled):
            raise conflict(name, "ObjectIsBeingDeleted", "being deleted")
        if secret.deleted_at is not None:
            state = "in a deleted but recoverable state, and its name cannot be reused"
            raise conflict(name, "ObjectIsDeletedButRecoverable", state)
        if not settled:
            raise conflict(name, "ObjectIsBeingRecovered", "being recovered")

    def _deleted_for_change(self, name: str) -> StoredSecret:
        secret = self._held(name)
        if secret is None or secret.deleted_at is None:
            raise deleted_secret_not_found(name)
        if not self._is_settled(secret):
            raise conflict(name, "ObjectIsBeingDeleted", "being deleted")
        return secret

    def _version(self, value: str, body: dict[str, Any]) -> SecretVersion:
        attributes = body.get("attributes") or {}
        return SecretVersion(
            id=uuid.uuid4().hex,
            value=value,
            created=int(self._now()),
            enabled=attributes.get("enabled", True),
            not_before=attributes.get("nbf"),
            expires=attributes.get("exp"),
            content_type=body.get("contentType"),
            tags=body.get("tags"),
        )

    def _is_settled(self, secret: StoredSecret) -> bool:
        return self._now() >= secret.settled

    def _settle_later(self, secret: StoredSecret) -> None:
        secret.settled = self._now() + self._rules.deletion_seconds
        self._save()

    def _save(self) -> None:
        save_state(self._rules.data, self._state)


def purge_time(secret: StoredSecret) -> int:
    """When a deleted secret ends by itself, in seconds since 1970."""
    return (secret.deleted_at or 0) + RETENTION_DAYS * _DAY_SECONDS
