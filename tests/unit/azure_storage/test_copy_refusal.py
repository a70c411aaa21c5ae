"""Which side refused a copy. The rows are Azure's documented codes, and what Azurite 3.37 was measured to answer."""

import pytest
from multidict import CIMultiDict

from azure_storage.copy_errors import (
    CopyNotSupportedError,
    CopySourceChangedError,
    CopySourceRefusedError,
    CopySourceUnavailableError,
)
from azure_storage.copy_refusal import copy_error_of
from azure_storage.errors import (
    AuthenticationFailedError,
    BlobAlreadyExistsError,
    ChecksumMismatchError,
    ContainerNotFoundError,
    SourceChangedError,
    StorageBusyError,
    StorageRefusedError,
)

ANSWERS: list[tuple[int, str, str, type[Exception]]] = [
    (403, "CannotVerifyCopySource", "", CopySourceRefusedError),
    (401, "CannotVerifyCopySource", "", CopySourceRefusedError),
    (404, "CannotVerifyCopySource", "", CopySourceRefusedError),
    (409, "CannotVerifyCopySource", "", CopySourceRefusedError),
    (416, "CannotVerifyCopySource", "", CopySourceRefusedError),
    (400, "CannotVerifyCopySource", "403", CopySourceRefusedError),
    (500, "CannotVerifyCopySource", "404", CopySourceRefusedError),
    (500, "CannotVerifyCopySource", "", CopySourceUnavailableError),
    (403, "CannotVerifyCopySource", "503", CopySourceUnavailableError),
    (400, "CannotVerifyCopySource", "429", CopySourceUnavailableError),
    (400, "CannotVerifyCopySource", "412", CopySourceChangedError),
    (400, "CannotVerifyCopySource", "nonsense", CopySourceRefusedError),
    (412, "SourceConditionNotMet", "", CopySourceChangedError),
    (412, "ConditionNotMet", "", CopySourceChangedError),
    (500, "", "", StorageBusyError),
    (501, "NotImplemented", "", CopyNotSupportedError),
    (501, "APINotImplemented", "", CopyNotSupportedError),
    (405, "", "", CopyNotSupportedError),
    (431, "", "", CopyNotSupportedError),
    (400, "UnsupportedHeader", "", CopyNotSupportedError),
    (400, "InvalidHeaderValue", "", CopyNotSupportedError),
    (400, "CopyAcrossAccountsNotSupported", "", CopyNotSupportedError),
    (500, "InternalError", "", StorageBusyError),
    (503, "ServerBusy", "", StorageBusyError),
    (502, "", "", StorageBusyError),
    (400, "Md5Mismatch", "", ChecksumMismatchError),
    (400, "Crc64Mismatch", "", ChecksumMismatchError),
    (403, "AuthenticationFailed", "", AuthenticationFailedError),
    (404, "ContainerNotFound", "", ContainerNotFoundError),
    (409, "BlobAlreadyExists", "", BlobAlreadyExistsError),
    (400, "InvalidMetadata", "", StorageRefusedError),
]


@pytest.mark.parametrize(("status", "code", "source_status", "leaf"), ANSWERS)
def test_an_answer_becomes_the_leaf_of_the_side_that_refused(
    status: int, code: str, source_status: str, leaf: type[Exception]
) -> None:
    headers = CIMultiDict({"x-ms-error-code": code})
    if source_status:
        headers["x-ms-copy-source-status-code"] = source_status
    error = copy_error_of("Put Block From URL", "acme1/data/a", status=status, headers=headers)
    assert type(error) is leaf
    assert "Put Block From URL of acme1/data/a" in error.message


def test_azurites_answer_to_the_call_that_it_does_not_have_is_no_failure_of_the_service() -> None:
    assert type(copy_error_of("Put Blob From URL", "a/b/c", status=500, headers={})) is CopyNotSupportedError
    busy = copy_error_of("Put Blob From URL", "a/b/c", status=500, headers={"x-ms-error-code": "InternalError"})
    assert type(busy) is StorageBusyError


def test_what_the_source_was_answered_is_told() -> None:
    headers = {
        "x-ms-error-code": "CannotVerifyCopySource",
        "x-ms-copy-source-status-code": "403",
        "x-ms-copy-source-error-code": "AuthenticationFailed",
    }
    error = copy_error_of("Put Block From URL", "acme1/data/a", status=403, headers=headers)
    assert "The source was answered 403 AuthenticationFailed." in error.message


def test_a_busy_source_says_how_long_to_wait() -> None:
    headers = {"x-ms-error-code": "CannotVerifyCopySource", "Retry-After": "9"}
    error = copy_error_of("Put Block From URL", "acme1/data/a", status=503, headers=headers)
    assert isinstance(error, CopySourceUnavailableError)
    assert error.retry_after_seconds == 9


def test_a_changed_source_of_a_copy_is_a_changed_source() -> None:
    assert issubclass(CopySourceChangedError, SourceChangedError)
