"""From what storage answers (HTTP status and `x-ms-error-code`) to one leaf of the error tree.

Source: the service's list of common and Blob error codes; `AuthorizationFailure` for a revoked or expired signature
is what Azurite answers where Azure answers `AuthenticationFailed`.
"""

from collections.abc import Mapping
from typing import Final

from azure_storage.errors import (
    AccountKeyNotPermittedError,
    AuthenticationFailedError,
    AuthorizationFailureError,
    AuthorizationPermissionMismatchError,
    BlobAlreadyExistsError,
    BlobArchivedError,
    BlobLeasedError,
    BlobNotFoundError,
    ChecksumMismatchError,
    ContainerBeingDeletedError,
    ContainerExistsError,
    ContainerNotFoundError,
    InsufficientAccountPermissionsError,
    InvalidBlockListError,
    Refusal,
    ResourceNotFoundError,
    SourceChangedError,
    StorageBusyError,
    StorageRefusedError,
    StorageTransientError,
)

_SERVER_ERRORS: Final = 500

_BY_CODE: Final[Mapping[str, type[StorageRefusedError] | type[StorageTransientError]]] = {
    "BlobNotFound": BlobNotFoundError,
    "ResourceNotFound": ResourceNotFoundError,
    "ContainerNotFound": ContainerNotFoundError,
    "ContainerAlreadyExists": ContainerExistsError,
    "ContainerBeingDeleted": ContainerBeingDeletedError,
    "BlobAlreadyExists": BlobAlreadyExistsError,
    "UnauthorizedBlobOverwrite": BlobAlreadyExistsError,
    "BlobArchived": BlobArchivedError,
    "ConditionNotMet": SourceChangedError,
    "SourceConditionNotMet": SourceChangedError,
    "LeaseIdMissing": BlobLeasedError,
    "LeaseAlreadyPresent": BlobLeasedError,
    "AuthenticationFailed": AuthenticationFailedError,
    "InvalidAuthenticationInfo": AuthenticationFailedError,
    "NoAuthenticationInformation": AuthenticationFailedError,
    "AuthorizationFailure": AuthorizationFailureError,
    "AuthorizationPermissionMismatch": AuthorizationPermissionMismatchError,
    "AuthorizationProtocolMismatch": AuthorizationPermissionMismatchError,
    "AuthorizationResourceTypeMismatch": AuthorizationPermissionMismatchError,
    "AuthorizationServiceMismatch": AuthorizationPermissionMismatchError,
    "AuthorizationSourceIPMismatch": AuthorizationPermissionMismatchError,
    "InsufficientAccountPermissions": InsufficientAccountPermissionsError,
    "AccountIsDisabled": InsufficientAccountPermissionsError,
    "KeyBasedAuthenticationNotPermitted": AccountKeyNotPermittedError,
    "InvalidBlockList": InvalidBlockListError,
    "InvalidBlobOrBlock": InvalidBlockListError,
    "Md5Mismatch": ChecksumMismatchError,
    "Crc64Mismatch": ChecksumMismatchError,
    "ServerBusy": StorageBusyError,
    "InternalError": StorageBusyError,
    "OperationTimedOut": StorageBusyError,
}

_BY_STATUS: Final[Mapping[int, type[StorageRefusedError] | type[StorageTransientError]]] = {
    401: AuthenticationFailedError,
    404: BlobNotFoundError,
    408: StorageBusyError,
    412: SourceChangedError,
    429: StorageBusyError,
}


def error_of(
    operation: str, resource: str, *, status: int, headers: Mapping[str, str]
) -> StorageRefusedError | StorageTransientError:
    """The leaf for this answer; an unknown 5xx is transient, any other unknown answer is permanent.

    `headers` are the answer's, looked up without regard to case.
    """
    refusal = refusal_of(operation, resource, status=status, headers=headers)
    unknown = StorageBusyError if status >= _SERVER_ERRORS else StorageRefusedError
    leaf = _BY_CODE.get(refusal.error_code) or _BY_STATUS.get(status, unknown)
    if issubclass(leaf, StorageTransientError):
        return leaf(refusal, retry_after_seconds=retry_after_seconds(headers))
    return leaf(refusal)


def refusal_of(operation: str, resource: str, *, status: int, headers: Mapping[str, str], finding: str = "") -> Refusal:
    """What the answer says of itself; `finding` as in `Refusal`."""
    return Refusal(
        operation=operation,
        resource=resource,
        status=status,
        error_code=headers.get("x-ms-error-code") or "",
        request_id=headers.get("x-ms-request-id") or "",
        finding=finding,
    )


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """How long to wait. Storage sends whole seconds; the header's other form, a date, is taken as not given."""
    stated = (headers.get("Retry-After") or "").strip()
    return float(stated) if stated.isdecimal() else None
