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
