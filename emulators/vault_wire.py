"""Requests and answers as Vault's HTTP API has them."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

Json = dict[str, Any]

_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION: Final = re.compile(r"(\d+)([smhd]?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultRequest:
    """One call. `method` is LIST for `GET ?list=true` too; `path` is what follows `/v1/`."""

    method: str
    path: str
    namespace: str = ""
    token: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    body: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VaultAnswer:
    """Status and body; no body for 204."""

    status: int
    body: Json | None = None


class VaultFaultError(Exception):
    """An answer that is an error: Vault's list of texts, which is empty for what is not there."""

    def __init__(self, status: int, *errors: str) -> None:
        super().__init__(", ".join(errors))
        self.answer = VaultAnswer(status, {"errors": list(errors)})


NO_CONTENT: Final = VaultAnswer(204)


def not_found() -> VaultFaultError:
    """Nothing there."""
    return VaultFaultError(404)


def unsupported() -> VaultFaultError:
    """The path has no such operation."""
    return VaultFaultError(405, "1 error occurred:\n\t* unsupported operation\n\n")


def no_route(path: str) -> VaultFaultError:
    """Nothing is mounted at the path."""
    return VaultFaultError(404, f'no handler for route "{path}". route entry not found.')


def denied() -> VaultFaultError:
    """The token is good, but its policies do not permit this."""
    return VaultFaultError(403, "1 error occurred:\n\t* permission denied\n\n")


def no_token() -> VaultFaultError:
    """The request carries no token."""
    return VaultFaultError(403, "permission denied")


def invalid_path() -> VaultFaultError:
    """The engine is one of version 2, and the path does not begin like one of its API."""
    fault = VaultFaultError(404)
    fault.answer = answer(warnings=["Invalid path for a versioned K/V secrets engine."], status=404)
    return fault


def bad_token() -> VaultFaultError:
    """The token is unknown, revoked or too old."""
    return VaultFaultError(403, "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n")


def answer(
    *, data: Json | None = None, auth: Json | None = None, warnings: list[str] | None = None, status: int = 200
) -> VaultAnswer:
    """The envelope around everything that Vault answers."""
    envelope = {"request_id": str(uuid.uuid4()), "lease_id": "", "renewable": False, "lease_duration": 0}
    return VaultAnswer(status, {**envelope, "data": data, "wrap_info": None, "warnings": warnings, "auth": auth})


def seconds_of(duration: object) -> int:
    """A duration as Vault takes it: a number of seconds, or text such as `90s`, `5m`, `1h`.

    Raises:
        VaultFaultError: it is something else.
    """
    matched = _DURATION.fullmatch(str(duration))
    if matched is None:
        raise VaultFaultError(400, f"error converting input for field: {duration!r} is no duration")
    return int(matched[1]) * _UNITS[matched[2]]


def timestamp(seconds: float) -> str:
    """A time as Vault writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
