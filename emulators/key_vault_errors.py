"""Errors as Azure Key Vault answers them.

Source: https://learn.microsoft.com/azure/key-vault/general/rest-error-codes
"""

from typing import Any

from fastapi.responses import JSONResponse


class KeyVaultFaultError(Exception):
    """An answer that is an error; `inner` narrows the code down."""

    def __init__(
        self, status: int, code: str, message: str, *, inner: str | None = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.inner = inner
        self.headers = headers


def fault_answer(error: KeyVaultFaultError) -> JSONResponse:
    """The answer that says so."""
    details: dict[str, Any] = {"code": error.code, "message": str(error)}
    if error.inner:
        details["innererror"] = {"code": error.inner}
    return JSONResponse({"error": details}, error.status, headers=error.headers)


def bad_parameter(message: str) -> KeyVaultFaultError:
    """Something in the request is not as it must be."""
    return KeyVaultFaultError(400, "BadParameter", message)


def secret_not_found(name: str) -> KeyVaultFaultError:
    """There is no such secret, or not any more."""
    text = f"A secret with (name/id) {name} was not found in this key vault."
    return KeyVaultFaultError(
        404, "SecretNotFound", f"{text} If you recently deleted this secret you may be able to recover it."
    )


def deleted_secret_not_found(name: str) -> KeyVaultFaultError:
    """No secret of this name was deleted, or its deletion is not done yet."""
    return KeyVaultFaultError(404, "SecretNotFound", f"Deleted Secret not found: {name}")


def conflict(name: str, inner: str, text: str) -> KeyVaultFaultError:
    """The name cannot be used now."""
    return KeyVaultFaultError(409, "Conflict", f"Secret {name} is currently {text}.", inner=inner)
