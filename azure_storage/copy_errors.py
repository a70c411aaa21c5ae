"""What can go wrong when a storage service copies from a URL, beside what goes wrong with every call."""

from azure_storage.errors import SourceChangedError, StorageRefusedError, StorageTransientError


class CopySourceRefusedError(StorageRefusedError):
    """A copy from a URL failed at its source: the destination's service was refused there, or did not find it."""

    code = "CopySourceRefused"
    cause = "the destination's storage service cannot read the source of the copy"
    remedy = (
        "The source or its signature is gone or wrong, or the source account's network rules keep the destination's "
        "service out. Streaming the bytes through the data plane may still work."
    )


class CopySourceChangedError(SourceChangedError):
    """A copy from a URL found another source object than the one that was listed, or none."""

    code = "CopySourceChanged"
    cause = "the source of the copy was changed or deleted after the transfer began"


class CopyNotSupportedError(StorageRefusedError):
    """The destination's service does not make this kind of copy. Streaming does the same."""

    code = "CopyNotSupported"
    cause = "the destination's storage service does not support this copy"
    remedy = "Stream the bytes through the data plane instead."


class CopySourceUnavailableError(StorageTransientError):
    """A copy from a URL failed because its source did not answer the destination's service in time, or is busy."""

    code = "CopySourceUnavailable"
    cause = "the source of the copy did not answer the destination's storage service"
    remedy = "It is tried again. When it lasts, look at the source account's load and network rules."
