"""The root of the error tree.

Every error that crosses a port is exactly one of transient (the same call may work later, so it is retried with
back-off) or permanent (it cannot, so its reason reaches both sides of the transfer). Messages are built from typed
arguments, are safe to log and to send to the other organisation, and never hold a secret or a signed URL.
"""

from typing import ClassVar, Final

_SHOWN_MAX: Final = 120


class ConnectorError(Exception):
    """Anything that this software reports on purpose. Never raised itself: see the two branches below."""

    code: ClassVar[str] = "ConnectorError"
    """A stable, machine-readable name of the kind of error; shown to clients and to the counterparty."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class TransientError(ConnectorError):
    """The same call may work later: it is retried with capped exponential back-off."""

    code = "Transient"
    throttled: ClassVar[bool] = False
    """Whether the other side says that it gets too many requests: fewer at once are the remedy."""

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class PermanentError(ConnectorError):
    """The same call cannot work: the process ends and the reason reaches both sides."""

    code = "Permanent"


class InvalidInputError(PermanentError):
    """A value that a caller sent breaks a rule."""

    code = "InvalidInput"

    def __init__(self, *, field: str, value: object, problem: str, remedy: str = "") -> None:
        shown = repr(value)
        shown = shown if len(shown) <= _SHOWN_MAX else shown[:_SHOWN_MAX] + "..."
        hint = f" {remedy}" if remedy else ""
        super().__init__(f"{field}: {problem} (got {shown}).{hint}")
        self.field = field
        self.value = value
        self.problem = problem
        self.remedy = remedy


class NotFoundError(PermanentError):
    """An object that a caller named does not exist, or is not the caller's."""

    code = "NotFound"

    def __init__(self, *, kind: str, object_id: str) -> None:
        super().__init__(f"{kind} {object_id!r} does not exist.")
        self.kind = kind
        self.object_id = object_id


class ConflictError(PermanentError):
    """The object exists already, is in use, or is in a state that forbids the request."""

    code = "Conflict"


class InvalidTransitionError(ConflictError):
    """The state machine has no such move."""

    code = "InvalidTransition"

    def __init__(self, *, entity_id: str, state: str, event: str) -> None:
        super().__init__(f"{entity_id}: {event} is not possible in state {state}.")
        self.entity_id = entity_id
        self.state = state
        self.event = event


class ConfigurationError(PermanentError):
    """A setting is missing or wrong. Names the key, so that the operator knows what to change."""

    code = "Configuration"

    def __init__(self, *, key: str, problem: str, remedy: str = "") -> None:
        super().__init__(f"{key}: {problem}." + (f" {remedy}" if remedy else ""))
        self.key = key


class ForbiddenAddressError(PermanentError):
    """An address that an outsider chose is not one that this connector is allowed to call."""

    code = "ForbiddenAddress"


class UnauthenticatedError(PermanentError):
    """The caller did not prove who it is."""

    code = "Unauthenticated"


class SecretNotFoundError(PermanentError):
    """The vault answered, and has no secret under this alias."""

    code = "SecretNotFound"

    def __init__(self, *, alias: str) -> None:
        super().__init__(f"The vault holds no secret under the alias {alias!r}. Store it there and start again.")
        self.alias = alias


class VaultForbiddenError(PermanentError):
    """The vault refused: wrong key, wrong identity, or a tampered file."""

    code = "VaultForbidden"


class VaultUnavailableError(TransientError):
    """The vault did not answer, or says that it cannot serve now."""

    code = "VaultUnavailable"


class VaultSealedError(VaultUnavailableError):
    """The vault is sealed, or not initialised: somebody must unseal it."""

    code = "VaultSealed"


class VaultThrottledError(VaultUnavailableError):
    """The vault gets too many requests."""

    code = "VaultThrottled"
    throttled = True


class StoreUnavailableError(TransientError):
    """The database did not answer; nothing was written."""

    code = "StoreUnavailable"


class LeaseLostError(TransientError):
    """Another worker holds the lease now; what was about to be saved was not saved."""

    code = "LeaseLost"


class PeerUnavailableError(TransientError):
    """A counterparty or a data plane did not answer, or said that it cannot answer now."""

    code = "PeerUnavailable"


class PeerRefusedError(PermanentError):
    """A counterparty or a data plane answered that it will not do what was asked."""

    code = "PeerRefused"

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status
