"""The root of the error tree.

Every error that crosses a port is exactly one of transient (the same call may work later, so it is retried with
back-off) or permanent (it cannot, so its reason reaches both sides of the transfer). Messages are built from typed
arguments, are safe to log, and never hold a secret or a signed URL. What names our own vault, identities, files or
settings is for our own operator: the other organisation reads `told_outside` in its place.

Every kind of error also says why it happens and what to do about it, in texts that hold nothing of a single case:
they make up docs/troubleshooting.md and `connector explain`, and our own operator reads them with the message.
"""

from typing import ClassVar, Final

_SHOWN_MAX: Final = 120


class ConnectorError(Exception):
    """Anything that this software reports on purpose. Never raised itself: see the two branches below."""

    code: ClassVar[str] = "ConnectorError"
    """A stable, machine-readable name of the kind of error; shown to clients and to the counterparty."""
    cause: ClassVar[str] = ""
    """Why it happens, as a clause: no capital, no full stop."""
    remedy: ClassVar[str] = ""
    """What our operator looks at or does, in sentences: which command, which setting."""
    outward: ClassVar[str] = ""
    """What the counterparty reads in the message's place, where the message tells of our inside; else empty."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    @property
    def advice(self) -> str:
        """The remedy, unless the message tells it already. For our own operator, never for the counterparty."""
        return "" if self.remedy in self.message else self.remedy

    @property
    def told_outside(self) -> str:
        """What happened, for the counterparty."""
        return self.outward or self.message

    @property
    def told_inside(self) -> str:
        """What our own operator reads beside `told_outside`: the message, where that does not tell it; the advice."""
        return self.advice if self.told_outside == self.message else f"{self.message} {self.advice}".rstrip()


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
    cause = "a value of the request or of a stored object breaks a rule"
    remedy = "Correct the member that the message names; the message shows the rule and the value."

    def __init__(self, *, field: str, value: object, problem: str, remedy: str = "") -> None:
        shown = repr(value)
        shown = shown if len(shown) <= _SHOWN_MAX else shown[:_SHOWN_MAX] + "..."
        hint = f" {remedy}" if remedy else ""
        super().__init__(f"{field}: {problem} (got {shown}).{hint}")
        self.field = field
        self.value = value
        self.problem = problem
        self.hint = remedy

    @property
    def advice(self) -> str:
        """Nothing more, where the message says what to do about this very value."""
        return "" if self.hint else super().advice


class NotFoundError(PermanentError):
    """An object that a caller named does not exist, or is not the caller's."""

    code = "NotFound"
    cause = "no object of this kind has this id, or it belongs to somebody else"
    remedy = (
        "Compare the id with the list of the same API (POST .../request); ids are case-sensitive, and each connector "
        "knows its own alone."
    )

    def __init__(self, *, kind: str, object_id: str) -> None:
        super().__init__(f"{kind} {object_id!r} does not exist.")
        self.kind = kind
        self.object_id = object_id


class ConflictError(PermanentError):
    """The object exists already, is in use, or is in a state that forbids the request."""

    code = "Conflict"
    cause = "the object exists already, is used by another one, or is in a state that forbids the request"
    remedy = "Read the object and its state first; then choose another id, remove what uses it, or wait for the state."


class InvalidTransitionError(ConflictError):
    """The state machine has no such move."""

    code = "InvalidTransition"
    cause = "the process is in a state from which this act is not possible"
    remedy = (
        "Read the state (`connector status ID`) and see which acts it allows in docs/states.md; an ended process is "
        "not revived."
    )

    def __init__(self, *, entity_id: str, state: str, event: str) -> None:
        super().__init__(f"{entity_id}: {event} is not possible in state {state}.")
        self.entity_id = entity_id
        self.state = state
        self.event = event


class ConfigurationError(PermanentError):
    """A setting is missing or wrong. Names the key, so that the operator knows what to change."""

    code = "Configuration"
    cause = "a setting is missing, or its value cannot be used"
    remedy = (
        "Correct the key that the message names, in the file or in its environment variable (CONNECTOR_TABLE__KEY), "
        "and run `connector config check --config FILE`."
    )
    outward = "A setting of this connector is missing or wrong; its operator's log tells which."

    def __init__(self, *, key: str, problem: str, remedy: str = "") -> None:
        super().__init__(f"{key}: {problem}." + (f" {remedy}" if remedy else ""))
        self.key = key
        self.hint = remedy

    @property
    def advice(self) -> str:
        """Nothing more, where the message says what to do about this very key."""
        return "" if self.hint else super().advice


class ForbiddenAddressError(PermanentError):
    """An address that an outsider chose is not one that this connector is allowed to call."""

    code = "ForbiddenAddress"
    cause = (
        "the guard of outbound calls refuses an address that came from outside: not https, or a host of a private, "
        "loopback or link-local network"
    )
    remedy = (
        "If the address is right, add its host to `outbound.allowed_hosts` or its network to "
        "`outbound.allowed_networks` (a data plane: `data_plane.outbound`); plain http needs `outbound.allow_http` "
        "besides."
    )


class UnauthenticatedError(PermanentError):
    """The caller did not prove who it is."""

    code = "Unauthenticated"
    cause = (
        "no token, API key or signature came with the request, or it proves nothing: wrong, expired, for somebody "
        "else, or used before"
    )
    remedy = (
        "Clients of the management API send X-Api-Key with the value under `management.api_key_alias`. For "
        "counterparties and data planes compare key, issuer and audience on both sides, and both clocks; the log says"
        " which check failed."
    )


class SecretNotFoundError(PermanentError):
    """The vault answered, and has no secret under this alias."""

    code = "SecretNotFound"
    cause = "the vault answered, and holds nothing under this alias"
    remedy = (
        "Compare with `connector vault list --config FILE` (mount, folder and namespace count), and store it: "
        "`connector vault set ALIAS --config FILE`."
    )
    outward = "A secret that this connector needs is not in its vault; its operator's log tells which."

    def __init__(self, *, alias: str) -> None:
        super().__init__(f"The vault holds no secret under the alias {alias!r}. Store it there and start again.")
        self.alias = alias


class VaultForbiddenError(PermanentError):
    """The vault refused: wrong key, wrong identity, or a tampered file."""

    code = "VaultForbidden"
    cause = (
        "the vault refused: wrong key, token or identity, a policy or role without this right, or an altered vault file"
    )
    remedy = (
        "Local vault: check `vault.key_file` or `vault.key_env`. HashiCorp Vault: check the login, and that its "
        "policy allows mount and folder. Azure Key Vault: the identity needs the role Key Vault Secrets Officer."
    )
    outward = "This connector's vault refuses it a secret; its operator's log tells why."


class VaultUnavailableError(TransientError):
    """The vault did not answer, or says that it cannot serve now."""

    code = "VaultUnavailable"
    cause = "the vault did not answer in time, or says that it cannot serve now"
    remedy = (
        "It is tried again. Check `vault.url`, name resolution, the certificate (`vault.ca_file`) and the vault's own"
        " health; transfers wait meanwhile."
    )
    outward = "This connector's vault cannot be reached now; its operator's log tells why."


class VaultSealedError(VaultUnavailableError):
    """The vault is sealed, or not initialised: somebody must unseal it."""

    code = "VaultSealed"
    cause = "the vault is sealed or not initialised, as it is after each restart without auto-unseal"
    remedy = (
        "Unseal it (`vault operator unseal`), or set up auto-unseal. It is tried again; transfers wait meanwhile and "
        "then go on."
    )


class VaultThrottledError(VaultUnavailableError):
    """The vault gets too many requests."""

    code = "VaultThrottled"
    throttled = True
    cause = "the vault gets too many requests"
    remedy = (
        "It is tried again more slowly. Raise `vault.cache_seconds`, lower `vault.parallel_calls`, or raise the "
        "vault's limits."
    )


class StoreUnavailableError(TransientError):
    """The database did not answer; nothing was written."""

    code = "StoreUnavailable"
    cause = "the database did not answer, or broke the connection off; nothing was written"
    remedy = (
        "It is tried again. Check `database.url` (a data plane: `data_plane.database_url`), that the server runs and "
        "has connections left, and for SQLite the disk's room and the file's rights."
    )


class LeaseLostError(TransientError):
    """Another worker holds the lease now; what was about to be saved was not saved."""

    code = "LeaseLost"
    cause = (
        "another worker holds the lease now, because this one was slower than the lease or was cut off from the "
        "database"
    )
    remedy = (
        "Nothing to do when it is rare. When it lasts, compare the clocks of all processes and raise "
        "`transfer.lease_seconds` or `data_plane.lease_seconds`."
    )


class PeerUnavailableError(TransientError):
    """A counterparty or a data plane did not answer, or said that it cannot answer now."""

    code = "PeerUnavailable"
    cause = "the counterparty or the data plane did not answer, or said that it cannot answer now"
    remedy = (
        "It is tried again. Check that its address is right and can be reached from this machine (DNS, firewall, "
        "certificate), and whether it runs."
    )


class PeerRefusedError(PermanentError):
    """A counterparty or a data plane answered that it will not do what was asked."""

    code = "PeerRefused"
    cause = "the counterparty or the data plane answered that it will not do what was asked"
    remedy = (
        "Its reason stands in the message. 401 or 403: it does not know this participant's key or token. 404: wrong "
        "address, path or id. 400 or 409: the two sides disagree on message or state."
    )

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status
