import pytest
from multidict import CIMultiDict

from azure_storage import errors
from azure_storage.error_catalogue import error_of
from connector_spi.errors import PermanentError, TransientError

ANSWERS: list[tuple[int, str, type[PermanentError] | type[TransientError]]] = [
    (404, "BlobNotFound", errors.BlobNotFoundError),
    (404, "ContainerNotFound", errors.ContainerNotFoundError),
    (404, "ResourceNotFound", errors.ResourceNotFoundError),
    (404, "", errors.BlobNotFoundError),
    (409, "ContainerAlreadyExists", errors.ContainerExistsError),
    (409, "ContainerBeingDeleted", errors.ContainerBeingDeletedError),
    (409, "BlobAlreadyExists", errors.BlobAlreadyExistsError),
    (403, "UnauthorizedBlobOverwrite", errors.BlobAlreadyExistsError),
    (409, "BlobArchived", errors.BlobArchivedError),
    (412, "ConditionNotMet", errors.SourceChangedError),
    (412, "LeaseIdMissing", errors.BlobLeasedError),
    (403, "AuthenticationFailed", errors.AuthenticationFailedError),
    (401, "", errors.AuthenticationFailedError),
    (403, "AuthorizationFailure", errors.AuthorizationFailureError),
    (403, "AuthorizationPermissionMismatch", errors.AuthorizationPermissionMismatchError),
    (403, "AuthorizationProtocolMismatch", errors.AuthorizationPermissionMismatchError),
    (403, "InsufficientAccountPermissions", errors.InsufficientAccountPermissionsError),
    (403, "KeyBasedAuthenticationNotPermitted", errors.AccountKeyNotPermittedError),
    (400, "InvalidBlockList", errors.InvalidBlockListError),
    (400, "Md5Mismatch", errors.ChecksumMismatchError),
    (400, "Crc64Mismatch", errors.ChecksumMismatchError),
    (503, "ServerBusy", errors.StorageBusyError),
    (500, "InternalError", errors.StorageBusyError),
    (500, "OperationTimedOut", errors.StorageBusyError),
    (502, "", errors.StorageBusyError),
    (429, "", errors.StorageBusyError),
    (400, "InvalidHeaderValue", errors.StorageRefusedError),
    (302, "", errors.StorageRefusedError),
    (200, "", errors.StorageRefusedError),
]


@pytest.mark.parametrize(("status", "code", "leaf"), ANSWERS)
def test_an_answer_becomes_its_leaf_which_names_operation_resource_status_and_code(
    status: int, code: str, leaf: type[Exception]
) -> None:
    headers = CIMultiDict({"x-ms-error-code": code, "x-ms-request-id": "req-1"})
    error = error_of("Put Block", "acme1/data/a.csv", status=status, headers=headers)
    assert type(error) is leaf
    assert "Put Block of acme1/data/a.csv" in error.message
    assert f"HTTP {status}" in error.message
    assert code in error.message
    assert "req-1" in error.message


def test_a_permanent_error_ends_with_what_to_do() -> None:
    error = error_of("Get Blob", "a/b/c", status=404, headers={"x-ms-error-code": "BlobNotFound"})
    assert error.message.endswith(errors.BlobNotFoundError.remedy)


@pytest.mark.parametrize(
    ("retry_after", "seconds"), [("7", 7.0), (None, None), ("", None), ("Fri, 31 Dec 1999 23:59:59 GMT", None)]
)
def test_a_busy_service_says_how_long_to_wait(retry_after: str | None, seconds: float | None) -> None:
    headers = {"Retry-After": retry_after} if retry_after is not None else {}
    error = error_of("Put Block", "a/b/c", status=503, headers=headers)
    assert isinstance(error, TransientError)
    assert error.retry_after_seconds == seconds
