"""The Key Vault SDK's errors as those of the vault port.

Their texts hold Key Vault's error codes and not its words, which name applications, networks and vaults.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

from azure.core.exceptions import AzureError, HttpResponseError

from connector_spi.errors import (
    ConfigurationError,
    PermanentError,
    SecretNotFoundError,
    VaultForbiddenError,
    VaultThrottledError,
    VaultUnavailableError,
)
from entra_identity.errors import IdentityRefusedError, IdentityUnavailableError, retry_after

DELETED: Final = "ObjectIsDeletedButRecoverable"
"""Key Vault's code: the name is taken by a deleted secret."""
BUSY: Final = frozenset({"ObjectIsBeingDeleted", "ObjectIsBeingRecovered"})
"""Key Vault's codes: an earlier deletion or recovery is not finished."""

_MISSING: Final = "SecretNotFound"


@contextmanager
def key_vault_errors(operation: str, alias: str) -> Iterator[None]:
    """Turn what the SDK raises inside into an error of the vault port; `operation` is a verb.

    Raises:
        SecretNotFoundError: Key Vault says that there is none.
        VaultForbiddenError: Key Vault refused, or Entra ID gave no token for it.
        VaultThrottledError, VaultUnavailableError: it answers later, perhaps.
    """
    try:
        yield
    except HttpResponseError as error:
        raise _of_answer(error, operation, alias) from None
    except AzureError as error:
        inner = error.inner_exception or error
        raise VaultUnavailableError(f"Key Vault did not answer ({type(inner).__name__}).") from None
    except IdentityUnavailableError as error:
        raise VaultUnavailableError(error.message, retry_after_seconds=error.retry_after_seconds) from None
    except (IdentityRefusedError, ConfigurationError) as error:
        raise VaultForbiddenError(f"Key Vault was not asked to {operation} {alias!r}: {error.message}") from None
    except ValueError as error:
        if "challenge" not in str(error):
            raise
        raise VaultForbiddenError(
            "The server at vault.url asks for a token of a service that it is not part of, so it got none. Look at "
            "vault.url; only for an emulator set vault.verify_challenge_resource = false."
        ) from None


def is_missing(error: HttpResponseError) -> bool:
    """Whether Key Vault itself says that there is no such secret; any other 404 came from something else."""
    return error.status_code == HTTPStatus.NOT_FOUND and _MISSING in codes_of(error)


def codes_of(error: HttpResponseError) -> tuple[str, ...]:
    """Key Vault's error codes, the outer one first; a firewall or a policy is named by an inner one."""
    codes: list[str] = []
    if error.error is not None:
        level: object = {"code": error.error.code, "innererror": error.error.innererror}
        while isinstance(level, dict):
            codes.append(str(level.get("code") or ""))
            level = level.get("innererror")
    return tuple(code for code in codes if code.isidentifier())


def _of_answer(error: HttpResponseError, operation: str, alias: str) -> PermanentError | VaultUnavailableError:
    status = error.status_code
    if is_missing(error):
        return SecretNotFoundError(alias=alias)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return VaultThrottledError("Key Vault gets too many requests.", retry_after_seconds=retry_after(error))
    shown = " ".join([str(status), *codes_of(error)])
    if _is_passing(error):
        return VaultUnavailableError(
            f"Key Vault could not {operation} {alias!r} now ({shown}).", retry_after_seconds=retry_after(error)
        )
    return VaultForbiddenError(f"Key Vault refused to {operation} {alias!r} ({shown}). {_remedy(error)}")


def _is_passing(error: HttpResponseError) -> bool:
    """No status: the answer broke off. A conflict: an earlier deletion or recovery is not finished."""
    status = error.status_code
    if status is None or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return True
    return status in {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT} or status < HTTPStatus.BAD_REQUEST


def _remedy(error: HttpResponseError) -> str:
    codes = codes_of(error)
    if error.status_code == HTTPStatus.UNAUTHORIZED:
        return "It does not accept the identity's token: look at the tenants of both and at the clocks."
    if "ForbiddenByFirewall" in codes:
        return "Its firewall does not let this host in."
    if "SecretDisabled" in codes:
        return "The secret is disabled."
    if error.status_code == HTTPStatus.FORBIDDEN:
        return "Give the identity the role 'Key Vault Secrets Officer' on this vault."
    if error.status_code == HTTPStatus.NOT_FOUND:
        return "This is no answer of Key Vault: look at vault.url."
    return "See Key Vault's error codes."
