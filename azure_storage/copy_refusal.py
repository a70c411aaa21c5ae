"""Whose refusal it is when a copy from a URL fails: the source's, the destination's, or that of the call itself.

Sources: the service's error codes and its headers `x-ms-copy-source-status-code` and `x-ms-copy-source-error-code`;
what Azurite 3.37 answers was measured. The two differ: for a block from a source that is gone, Azurite says that the
condition is not met, Azure that the source cannot be verified; for Put Blob From URL, which it does not have, Azurite
answers 500 without a code.
"""

from collections.abc import Mapping
from typing import Final

from azure_storage.copy_errors import (
    CopyNotSupportedError,
    CopySourceChangedError,
    CopySourceRefusedError,
    CopySourceUnavailableError,
)
from azure_storage.error_catalogue import error_of, refusal_of, retry_after_seconds
from azure_storage.errors import Refusal, StorageRefusedError, StorageTransientError

PUT_BLOB_FROM_URL: Final = "Put Blob From URL"

_SOURCE_STATUS: Final = "x-ms-copy-source-status-code"
_SOURCE_CODE: Final = "x-ms-copy-source-error-code"

_CHANGED_STATUSES: Final = frozenset({304, 412})
_CHANGED_CODES: Final = frozenset({"SourceConditionNotMet", "ConditionNotMet"})
"""`ConditionNotMet` too: the only condition on the destination is answered with BlobAlreadyExists."""
_RETRIED_STATUSES: Final = frozenset({408, 429})
_SERVER_ERRORS: Final = 500
_NOT_SUPPORTED_STATUSES: Final = frozenset({405, 414, 431, 501})
_NOT_SUPPORTED_CODES: Final = frozenset(
    {
        "APINotImplemented",
        "CopyAcrossAccountsNotSupported",
        "FeatureVersionMismatch",
        "InvalidHeaderValue",  # also a source URL of more than 2 KiB
        "InvalidSourceBlobType",
        "InvalidSourceBlobUrl",
        "NotImplemented",
        "UnsupportedHeader",
        "UnsupportedHttpVerb",
        "UnsupportedQueryParameter",
    }
)


def copy_error_of(
    operation: str, resource: str, *, status: int, headers: Mapping[str, str]
) -> StorageRefusedError | StorageTransientError:
    """The leaf for the answer to a copy from a URL; what is not about the copy is as `error_of` says."""
    refusal = refusal_of(operation, resource, status=status, headers=headers)
    if refusal.error_code == "CannotVerifyCopySource":
        return _source_error(operation, resource, status=status, headers=headers)
    if refusal.error_code in _CHANGED_CODES:
        return CopySourceChangedError(refusal)
    if status in _NOT_SUPPORTED_STATUSES or refusal.error_code in _NOT_SUPPORTED_CODES or _is_azurites_way(refusal):
        return CopyNotSupportedError(refusal)
    return error_of(operation, resource, status=status, headers=headers)


def _source_error(
    operation: str, resource: str, *, status: int, headers: Mapping[str, str]
) -> StorageRefusedError | StorageTransientError:
    """The source's own status decides; the answer's own when that of the source is not stated."""
    stated = headers.get(_SOURCE_STATUS) or ""
    source_status = int(stated) if stated.isdecimal() else status
    refusal = refusal_of(
        operation,
        resource,
        status=status,
        headers=headers,
        finding=f"The source was answered {source_status} {headers.get(_SOURCE_CODE) or ''}".rstrip() + ".",
    )
    if source_status in _CHANGED_STATUSES:
        return CopySourceChangedError(refusal)
    if source_status >= _SERVER_ERRORS or source_status in _RETRIED_STATUSES:
        return CopySourceUnavailableError(refusal, retry_after_seconds=retry_after_seconds(headers))
    return CopySourceRefusedError(refusal)


def _is_azurites_way(refusal: Refusal) -> bool:
    """Azure names the cause of every 500; Azurite does not for the call that it does not have."""
    return refusal.operation == PUT_BLOB_FROM_URL and refusal.status == _SERVER_ERRORS and not refusal.error_code
