"""Which error each answer of the vault is.

The vault's own words are read to tell answers apart and are not passed on: nobody promises that they never repeat
what was sent. Its audit log holds them.
"""

from collections.abc import Sequence
from http import HTTPStatus

from connector_spi.errors import (
    ConnectorError,
    PermanentError,
    SecretNotFoundError,
    VaultForbiddenError,
    VaultSealedError,
    VaultThrottledError,
    VaultUnavailableError,
)

_FIRST_SERVER_ERROR = 500
_NOT_NOW = frozenset({HTTPStatus.PRECONDITION_FAILED, HTTPStatus.TOO_MANY_REQUESTS, 472, 473})
"""Besides errors of the server: a standby that has not seen the last write yet, a quota, another cluster's node."""

_TOO_OLD = "past the max ttl"
"""Why Vault does not renew a token any more that has reached its greatest age. It says so with status 500."""


_UPGRADING = "upgrading from non-versioned"
"""What a KV engine of version 2 says for a moment after it was mounted or upgraded, with status 400."""


class VaultUntrustedError(VaultUnavailableError):
    """The server at the vault's address did not prove by its certificate that it is the vault."""

    code = "VaultUntrusted"
    cause = (
        "the vault's certificate has ended, is for another host, or comes from an authority that is not trusted here"
    )
    remedy = (
        "Let `vault.ca_file` name the PEM of the authority, and compare the host of `vault.url` with the certificate."
    )


class VaultRefusedError(VaultForbiddenError):
    """The vault refused one call. `status`: 403 when the token is not, or no longer, allowed to make it."""

    code = "VaultRefused"
    cause = "the vault's policy does not allow the call to this connector's token, or the token has ended"
    remedy = "Compare the path in the message with the policy in docs/vaults.md, and the role that it is attached to."

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class VaultLoginLostError(VaultUnavailableError):
    """The login, which worked before in this process, is refused now: whoever renews it may be late."""

    code = "VaultLoginLost"
    cause = (
        "the token, secret id or service account token that this process used until now has ended, was revoked or "
        "exchanged, and no newer one is in its place"
    )
    remedy = (
        "It is tried again. Put a fresh credential into the file that `vault.login` names, which is read anew for each"
        " login; one from the environment needs a restart. Transfers wait meanwhile."
    )


class EntryAbsentError(PermanentError):
    """The engine has no such entry or folder. Stays in this package: to the port it is a missing secret."""

    code = "VaultEntryAbsent"
    cause = "the engine has no such entry or folder"
    remedy = "Store the secret: `connector vault set ALIAS --config FILE`."
    outward = SecretNotFoundError.outward


class VersionConflictError(VaultUnavailableError):
    """Somebody else wrote in between: the write is repeated on top of theirs."""

    code = "VaultVersionConflict"
    cause = "two writers stored the same secret at once"
    remedy = "Nothing to do: it is repeated."


class SecretUnreadableError(SecretNotFoundError):
    """There is an entry under the alias, but no text where a secret is looked for."""

    code = "SecretUnreadable"
    cause = "the vault's entry has neither a text `content` nor a text `value`"
    remedy = "Write it again with `vault kv put ... content=...`, or with `connector vault set ALIAS --config FILE`."

    def __init__(self, *, alias: str, keys: Sequence[str]) -> None:
        super().__init__(alias=alias)
        self.message = f"The vault's entry {alias!r} holds no text under one of the keys {', '.join(keys)}."
        self.args = (self.message,)


def error_of(
    call: str, *, status: int, reasons: Sequence[str] | None, retry_after_seconds: float | None = None
) -> ConnectorError:
    """The error for an answer to `call` (method and path) that is no success.

    `reasons`: the `errors` of the answer; None when it was not the JSON object that a vault answers with.
    """
    answer = f"{call} was answered with {status}"
    text = " ".join(reasons or ()).lower()
    if status >= _FIRST_SERVER_ERROR or status in _NOT_NOW:
        return _not_now(answer, status, text, retry_after_seconds)
    if status < HTTPStatus.BAD_REQUEST:
        remedy = "Let vault.url name the active node, or a balancer that finds it."
        return VaultUnavailableError(f"The vault sends elsewhere: {answer}. {remedy}")
    if status == HTTPStatus.BAD_REQUEST and _UPGRADING in text:
        return VaultUnavailableError(f"The vault's engine is being prepared: {answer}.")
    if status == HTTPStatus.BAD_REQUEST and "check-and-set parameter did not match" in text:
        return VersionConflictError(f"Another writer was quicker: {answer}.")
    return _not_found(answer, reasons) if status == HTTPStatus.NOT_FOUND else _refused(answer, status)


def login_refused(
    refusal: VaultRefusedError, method: str, *, worked: bool
) -> VaultForbiddenError | VaultLoginLostError:
    """The error for a login whose credential the vault does not take; `worked`: it did so before."""
    message = (
        f"The vault refused the login by {method} with {refusal.status}. Check vault.login, whether its credential has"
        " ended, and what its role is bound to; the vault's audit log says more."
    )
    return VaultLoginLostError(message) if worked else VaultForbiddenError(message)


def _not_now(answer: str, status: int, text: str, retry_after_seconds: float | None) -> ConnectorError:
    if status == HTTPStatus.NOT_IMPLEMENTED or (status == HTTPStatus.SERVICE_UNAVAILABLE and "sealed" in text):
        return VaultSealedError("The vault is sealed or not initialised: unseal it.")
    if status == HTTPStatus.INTERNAL_SERVER_ERROR and _TOO_OLD in text:
        return _refused(answer, status)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return VaultThrottledError(
            f"The vault gets too many requests: {answer}.", retry_after_seconds=retry_after_seconds
        )
    return VaultUnavailableError(f"The vault cannot serve now: {answer}.", retry_after_seconds=retry_after_seconds)


def _not_found(answer: str, reasons: Sequence[str] | None) -> ConnectorError:
    if reasons is None:
        return VaultUnavailableError(f"{answer}, and not by a vault. Check vault.url.")
    if not reasons:
        return EntryAbsentError(f"{answer}.")
    return VaultForbiddenError(f"{answer}: there is no KV version 2 engine. Check vault.mount and vault.namespace.")


def _refused(answer: str, status: int) -> VaultRefusedError:
    remedy = "Its policy must allow this call to the connector's token, which must not have ended."
    return VaultRefusedError(f"The vault refused: {answer}. {remedy}", status=status)
