"""Why a receipt (marker, manifest and what they speak of) is not believed. Each reason has a code of its own."""

from connector_spi.errors import PermanentError


class ReceiptRefusedError(PermanentError):
    """The receipt is not believed. Never raised itself."""

    code = "ReceiptRefused"


class ReceiptMissingError(PermanentError):
    """There is no `.complete`: nothing to believe or not."""

    code = "ReceiptMissing"


class ReceiptForeignError(ReceiptRefusedError):
    """The marker belongs to another transfer."""

    code = "ReceiptForeign"


class ReceiptUnsignedError(ReceiptRefusedError):
    """There is no signature where one is needed."""

    code = "ReceiptUnsigned"


class ReceiptSignerUnknownError(ReceiptRefusedError):
    """The signature is that of another participant, or made with a key that is not the configured one."""

    code = "ReceiptSignerUnknown"


class ReceiptSignatureError(ReceiptRefusedError):
    """The signature is not one of this marker: it, or what it is over, was altered."""

    code = "ReceiptSignature"


class ManifestPageMissingError(ReceiptRefusedError):
    """A page that the marker counts is not there."""

    code = "ManifestPageMissing"


class ManifestAlteredError(ReceiptRefusedError):
    """The pages are not those whose digest the marker names."""

    code = "ManifestAltered"


class ManifestCountsError(ReceiptRefusedError):
    """Marker and manifest disagree on the number of objects or bytes."""

    code = "ManifestCounts"


class ObjectMissingError(ReceiptRefusedError):
    """An object of the manifest is not there, or is in the manifest twice."""

    code = "ObjectMissing"


class ObjectUnexpectedError(ReceiptRefusedError):
    """An object is there that the manifest does not list."""

    code = "ObjectUnexpected"


class ObjectSizeError(ReceiptRefusedError):
    """An object has another size than the manifest says."""

    code = "ObjectSize"


class ObjectDigestError(ReceiptRefusedError):
    """An object has another content than the manifest says."""

    code = "ObjectDigest"
