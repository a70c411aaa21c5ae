"""Why a receipt (marker, manifest and what they speak of) is not believed. Each reason has a code of its own."""

from connector_spi.errors import PermanentError


class ReceiptRefusedError(PermanentError):
    """The receipt is not believed. Never raised itself."""

    code = "ReceiptRefused"
    cause = "the integrity receipt (marker, manifest, signature) is not believed"
    remedy = (
        "Nothing of it is believed or used. See why with `connector verify`, keep the container as evidence, and "
        "transfer again into another one."
    )


class ReceiptMissingError(PermanentError):
    """There is no `.complete`: nothing to believe or not."""

    code = "ReceiptMissing"
    cause = (
        "there is no `.complete`: the provider has not finished, or this is another container or folder than that of "
        "the transfer"
    )
    remedy = (
        "Look at the provider's state and for a `.failed` beside it; compare container and folder with the transfer's"
        " (`connector status ID`)."
    )


class ReceiptForeignError(ReceiptRefusedError):
    """The marker belongs to another transfer."""

    code = "ReceiptForeign"
    cause = "the marker is that of another transfer or agreement"
    remedy = (
        "Name the transfer's own container and folder. Two transfers into one folder overwrite nothing, but only one "
        "is completed there."
    )


class ReceiptUnsignedError(ReceiptRefusedError):
    """There is no signature where one is needed."""

    code = "ReceiptUnsigned"
    cause = "the receipt has no signature, and one is needed"
    remedy = (
        "Have the provider set `data_plane.receipt_signing_key_alias`; only for one that cannot sign, set `receipts ="
        ' "optional"` at its `[[counterparties]]`.'
    )


class ReceiptSignerUnknownError(ReceiptRefusedError):
    """The signature is that of another participant, or made with a key that is not the configured one."""

    code = "ReceiptSignerUnknown"
    cause = "the receipt was signed by another participant, or with a key that is not the configured one"
    remedy = (
        "Get the provider's present key (it prints it with `connector identity show`) and set it as `public_key_file`"
        " at its `[[counterparties]]`; `connector verify` takes it as an option."
    )


class ReceiptSignatureError(ReceiptRefusedError):
    """The signature is not one of this marker: it, or what it is over, was altered."""

    code = "ReceiptSignature"
    cause = "the signature is not one of this marker: one of them was altered after signing"
    remedy = "Do not use the data. See who may write to the container, and transfer again into another one."


class ManifestPageMissingError(ReceiptRefusedError):
    """A page that the marker counts is not there."""

    code = "ManifestPageMissing"
    cause = "a page of the manifest is missing that the marker counts"
    remedy = (
        "Somebody removed it from the container, or copied the data without it. Copy again with the folder "
        "`.manifest`, or transfer again."
    )


class ManifestAlteredError(ReceiptRefusedError):
    """The pages are not those whose digest the marker names."""

    code = "ManifestAltered"
    cause = "the manifest's pages are not those whose digest the marker names"
    remedy = (
        "They were altered after the transfer. Do not use the data; see who may write to the container, and transfer "
        "again."
    )


class ManifestCountsError(ReceiptRefusedError):
    """Marker and manifest disagree on the number of objects or bytes."""

    code = "ManifestCounts"
    cause = "marker and manifest disagree on the number of objects or bytes"
    remedy = "One of them was altered, or two transfers write to one folder. Transfer again into a folder of its own."


class ObjectMissingError(ReceiptRefusedError):
    """An object of the manifest is not there, or is in the manifest twice."""

    code = "ObjectMissing"
    cause = "an object of the manifest is not there, or is in the manifest twice"
    remedy = "Somebody deleted or renamed it, or the copy is incomplete. Compare with the manifest and transfer again."


class ObjectUnexpectedError(ReceiptRefusedError):
    """An object is there that the manifest does not list."""

    code = "ObjectUnexpected"
    cause = "an object is there that the manifest does not list"
    remedy = "It did not come with this transfer. Remove it, or check a folder that only this transfer writes to."


class ObjectSizeError(ReceiptRefusedError):
    """An object has another size than the manifest says."""

    code = "ObjectSize"
    cause = "an object has another size than the manifest says"
    remedy = "It was altered or cut off after the transfer. Do not use it; transfer again."


class ObjectDigestError(ReceiptRefusedError):
    """An object has another content than the manifest says."""

    code = "ObjectDigest"
    cause = "an object has another content than the manifest says"
    remedy = "It was altered after the transfer, or damaged at rest. Do not use it; transfer again."
