"""What a refusal means when an identity asked: which right it lacks, or that its token is not accepted."""

from typing import Final

from azure_storage.errors import (
    AuthenticationFailedError,
    AuthorizationPermissionMismatchError,
    DelegationKeyForbiddenError,
    IdentityForbiddenError,
    IdentityTokenRefusedError,
    StorageRefusedError,
)

GET_USER_DELEGATION_KEY: Final = "Get User Delegation Key"


def of_identity(error: StorageRefusedError, identity: str) -> StorageRefusedError:
    """The error that names the identity and the role that it needs. Others are returned as they are."""
    refusal = error.refusal.having(f"The identity {identity!r} asked.")
    if isinstance(error, AuthorizationPermissionMismatchError):
        asked_for_key = refusal.operation == GET_USER_DELEGATION_KEY
        return DelegationKeyForbiddenError(refusal) if asked_for_key else IdentityForbiddenError(refusal)
    if isinstance(error, AuthenticationFailedError):
        return IdentityTokenRefusedError(refusal)
    return error
