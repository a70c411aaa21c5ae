"""The KV version 2 secrets engine: versions, check-and-set, soft deletion, destruction, listing.

Source: https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2
"""

from collections.abc import Callable
from typing import Any, Final

from pydantic import BaseModel, Field

from emulators.vault_wire import (
    NO_CONTENT,
    Json,
    VaultAnswer,
    VaultFaultError,
    VaultRequest,
    answer,
    invalid_path,
    not_found,
    timestamp,
    unsupported,
)

MOST_VERSIONS: Final = 10


class Version(BaseModel):
    """One version; `data` is None once it is destroyed."""

    data: Json | None
    created_time: str
    deletion_time: str = ""
    destroyed: bool = False

    def is_readable(self) -> bool:
        """Whether it is neither deleted nor destroyed."""
        return not self.destroyed and not self.deletion_time

    def state(self) -> Json:
        """What is told about it without its data."""
        return self.model_dump(include={"created_time", "deletion_time", "destroyed"})


class Secret(BaseModel):
    """The versions that are kept, by number; the newest is `current`."""

    current: int = 0
    versions: dict[int, Version] = Field(default_factory=dict)

    def add(self, version: Version) -> None:
        """Make it the newest, and forget the oldest when there are too many."""
        self.current += 1
        self.versions[self.current] = version
        for number in sorted(self.versions)[:-MOST_VERSIONS]:
            del self.versions[number]


Secrets = dict[str, Secret]
"""By path within the mount."""


class KvEngine:
    """Answers calls below one mount. The secrets are handed in with each call: every namespace has its own."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._areas: dict[str, Callable[[VaultRequest, Secrets, str], VaultAnswer]] = {
            "data": self._data,
            "metadata": self._metadata,
            "delete": self._delete_versions,
            "undelete": self._undelete,
            "destroy": self._destroy,
        }

    def handle(self, request: VaultRequest, secrets: Secrets, inner_path: str) -> VaultAnswer:
        """Answer a call; `inner_path` is what follows the mount.

        Raises:
            VaultFaultError: as Vault would.
        """
        area, _, path = inner_path.partition("/")
        handler = self._areas.get(area)
        if handler is None:
            raise invalid_path()
        return handler(request, secrets, path)

    def _data(self, request: VaultRequest, secrets: Secrets, path: str) -> VaultAnswer:
        match request.method:
            case "GET":
                return _read(secrets, path, request.query.get("version", "0"))
            case "POST" | "PUT":
                return self._write(request.body, secrets, path)
            case "DELETE":
                secret = secrets.get(path)
                if secret is not None:
                    self._soft_delete(secret, [secret.current])
                return NO_CONTENT
        raise unsupported()

    def _write(self, body: Json, secrets: Secrets, path: str) -> VaultAnswer:
        if not isinstance(body.get("data"), dict):
            raise VaultFaultError(400, "no data provided")
        secret = secrets.get(path, Secret())
        expected = (body.get("options") or {}).get("cas")
        if expected is not None and expected != secret.current:
            raise VaultFaultError(400, "check-and-set parameter did not match the current version")
        secret.add(Version(data=body["data"], created_time=timestamp(self._now())))
        secrets[path] = secret
        return answer(data=_version_metadata(secret, secret.current))

    def _metadata(self, request: VaultRequest, secrets: Secrets, path: str) -> VaultAnswer:
        match request.method:
            case "LIST":
                return _list(secrets, path)
            case "GET":
                return answer(data=_secret_metadata(_existing(secrets, path)))
            case "DELETE":
                secrets.pop(path, None)
                return NO_CONTENT
        raise unsupported()

    def _delete_versions(self, request: VaultRequest, secrets: Secrets, path: str) -> VaultAnswer:
        self._soft_delete(_existing(secrets, path), _versions_asked(request))
        return NO_CONTENT

    def _soft_delete(self, secret: Secret, numbers: list[int]) -> None:
        for version in _chosen(secret, numbers):
            if version.is_readable():
                version.deletion_time = timestamp(self._now())

    def _undelete(self, request: VaultRequest, secrets: Secrets, path: str) -> VaultAnswer:
        for version in _chosen(_existing(secrets, path), _versions_asked(request)):
            if not version.destroyed:
                version.deletion_time = ""
        return NO_CONTENT

    def _destroy(self, request: VaultRequest, secrets: Secrets, path: str) -> VaultAnswer:
        for version in _chosen(_existing(secrets, path), _versions_asked(request)):
            version.data, version.destroyed = None, True
        return NO_CONTENT


def _read(secrets: Secrets, path: str, asked: str) -> VaultAnswer:
    secret = _existing(secrets, path)
    if not asked.isdigit():
        raise VaultFaultError(400, 'error converting input for field "version"')
    number = int(asked) or secret.current
    version = secret.versions.get(number)
    if version is None:
        raise not_found()
    readable = version.is_readable()
    # What was deleted is answered like something that is not there, but with its metadata.
    data = {"data": version.data if readable else None, "metadata": _version_metadata(secret, number)}
    return answer(data=data, status=200 if readable else 404)


def _list(secrets: Secrets, path: str) -> VaultAnswer:
    folder = f"{path.strip('/')}/" if path.strip("/") else ""
    inside = [name.removeprefix(folder) for name in secrets if name.startswith(folder)]
    if not inside:
        raise not_found()
    keys = {name if "/" not in name else name.partition("/")[0] + "/" for name in inside}
    return answer(data={"keys": sorted(keys)})


def _version_metadata(secret: Secret, number: int) -> Json:
    return {**secret.versions[number].state(), "custom_metadata": None, "version": number}


def _secret_metadata(secret: Secret) -> Json:
    numbers = sorted(secret.versions)
    times: dict[str, Any] = {
        "created_time": secret.versions[numbers[0]].created_time,
        "updated_time": secret.versions[secret.current].created_time,
    }
    return {
        **times,
        "cas_required": False,
        "current_version": secret.current,
        "custom_metadata": None,
        "delete_version_after": "0s",
        "max_versions": 0,
        "oldest_version": numbers[0],
        "versions": {str(number): secret.versions[number].state() for number in numbers},
    }


def _existing(secrets: Secrets, path: str) -> Secret:
    if path not in secrets:
        raise not_found()
    return secrets[path]


def _versions_asked(request: VaultRequest) -> list[int]:
    if request.method not in {"POST", "PUT"}:
        raise unsupported()
    numbers = request.body.get("versions")
    if not isinstance(numbers, list) or not numbers:
        raise VaultFaultError(400, "no version number provided")
    return [int(number) for number in numbers]


def _chosen(secret: Secret, numbers: list[int]) -> list[Version]:
    return [secret.versions[number] for number in numbers if number in secret.versions]
