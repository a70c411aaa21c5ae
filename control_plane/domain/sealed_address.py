"""A data address as one text for the vault.

An address that another party made may hold a secret under any name. So all of it rests in the vault, and a process
keeps the alias alone.
"""

import json
from typing import Final

from connector_spi.data_address import DataAddress
from connector_spi.errors import InvalidInputError, PermanentError

SEALED_MAX: Final = 25_000
"""What a vault takes."""


class SealedAddressError(PermanentError):
    """What the vault holds under the alias of a data address is something else."""

    code = "SealedAddress"
    cause = "what the vault holds as a transfer's data address is something else"
    remedy = (
        "Somebody wrote under an alias of the connector. Give it a vault, mount or folder of its own, and start a new"
        " transfer."
    )
    outward = "The data address that this connector had kept is damaged; its operator's log tells more."


def sealed(address: DataAddress) -> str:
    """The address as a text.

    Raises:
        InvalidInputError: it is larger than a vault takes.
    """
    text = json.dumps({"type": address.type, "properties": dict(address.properties)}, sort_keys=True)
    if len(text) > SEALED_MAX:
        raise InvalidInputError(field="dataAddress", value="...", problem=f"is longer than {SEALED_MAX} characters")
    return text


def unsealed(text: str) -> DataAddress:
    """The address that `sealed` made the text of.

    Raises:
        SealedAddressError: it is no such text.
    """
    try:
        parsed = json.loads(text)
        return DataAddress(parsed["type"], parsed["properties"])
    except (ValueError, KeyError, TypeError):
        raise SealedAddressError("The vault holds no data address under the transfer's alias.") from None
