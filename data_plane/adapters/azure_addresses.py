"""Which properties of an AzureStorage address this data plane understands, and therefore keeps."""

from typing import Final

from connector_spi.data_address import KEY_NAME, SECRET, DataAddress

_UNDERSTOOD: Final = frozenset(
    {"account", "container", "blobName", "blobname", "blobPrefix", "folderName", KEY_NAME, SECRET}
)
"""As in `azure_storage.address`, and the credential. `blobname` is EDC's older spelling."""


def understood(address: DataAddress) -> DataAddress:
    """A copy without the properties that are not understood here: one may be a secret, such as an account key."""
    return address.without(*(name for name in address.properties if name not in _UNDERSTOOD))


def narrowed_to(address: DataAddress, name: str) -> DataAddress | None:
    """An address whose listing begins with the blob of this name; None where the source address does not cover it."""
    single = address.get("blobName") or address.get("blobname")
    prefix = address.properties.get("blobPrefix")
    covered = name == single if prefix is None else name.startswith(prefix)
    if not covered:
        return None
    return address.without("blobName", "blobname").with_properties(blobPrefix=name)
