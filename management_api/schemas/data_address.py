"""Data addresses as clients write and read them: never with a secret, under whatever name.

An address is stored in clear, sent to the counterparty and shown again. So where the properties of a type are known,
no other is taken; of other types those are refused that look like secrets.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, StringConstraints
from pydantic_core import PydanticCustomError

from azure_storage.address import CLIENT_PROPERTIES
from connector_spi.data_address import AZURE_STORAGE, KEY_NAME, SECRET_PROPERTIES, DataAddress
from management_api.schemas.fields import single, unwrapped

_KNOWN: Final = MappingProxyType({AZURE_STORAGE: CLIENT_PROPERTIES})
"""Properties by type, for the types that this connector knows."""

_LISTED: Final = frozenset(name.lower() for name in SECRET_PROPERTIES)
_LIKE_A_SECRET: Final = re.compile(
    r"key|secret|token|passw|pwd|sas|connectionstring|authorization|credential|signature"
)
_VAULT_ALIAS: Final = re.compile(r"[A-Za-z0-9._/-]{1,200}")
"""What `connector_spi.vault.Vault` takes. No account key and no SAS is like this: both hold an equals sign."""
_HOLDS_A_SECRET: Final = re.compile(r"(?:^|[?&;])(?:sig|AccountKey|SharedAccessSignature)=", re.IGNORECASE)
_REMEDY: Final = f"put a secret into the vault and name its alias as {KEY_NAME}"
_SHOWN_CHARACTERS: Final = 64


def _address_members(value: Any) -> Any:
    """Bring both notations of a data address, flat and with `properties`, to flat text properties."""
    value = single(value)
    if not isinstance(value, dict):
        raise _refused("must be an object with a type")
    nested = value.get("properties")
    members = {**value, **nested} if isinstance(nested, dict) else value
    given = {n: v for n, v in members.items() if not n.startswith("@") and v is not None and v is not nested}
    address_type = _text("type", given.pop("type", ""))
    if not address_type:
        raise _refused("has no type; AzureStorage, for one")
    for name in given:
        _check_name(address_type, name)
    address = {name: _text(name, v) for name, v in given.items()}
    for name, text in address.items():
        _check_value(name, text)
    return {"type": address_type, **address}


def _check_name(address_type: str, name: str) -> None:
    """Refuse what the type does not know, or what looks like a secret where nothing is known of the type."""
    known = _KNOWN.get(address_type)
    if known is not None and name not in known:
        raise _refused(
            f"has the property {name[:_SHOWN_CHARACTERS]!r}, which {address_type} does not know "
            f"(it knows {', '.join(sorted(known))}); {_REMEDY}"
        )
    if known is None and _names_a_secret(name):
        raise _refused(f"has the property {name[:_SHOWN_CHARACTERS]!r}, which looks like a secret; {_REMEDY}")


def _names_a_secret(name: str) -> bool:
    if name == KEY_NAME:
        return False
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    return name.lower() in _LISTED or _LIKE_A_SECRET.search(plain) is not None


def _check_value(name: str, text: str) -> None:
    """Refuse a secret in a property that is known: a key in the place of its alias, a signed URL as the endpoint."""
    if name == KEY_NAME and text and not _VAULT_ALIAS.fullmatch(text):
        raise _refused(f"has a {KEY_NAME} that is no vault alias (letters, digits and . _ / -); {_REMEDY}")
    if _HOLDS_A_SECRET.search(text) or (name == "endpoint" and re.search(r"[?#@]", text)):
        raise _refused(f"has a secret, or room for one, in the property {name[:_SHOWN_CHARACTERS]!r}; {_REMEDY}")


def _text(name: str, value: Any) -> str:
    value = unwrapped(value)
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float):
        raise _refused(f"has the property {name[:_SHOWN_CHARACTERS]!r}, which is not a text")
    return str(value)


def _refused(problem: str) -> PydanticCustomError:
    return PydanticCustomError("data_address", "{problem}", {"problem": problem})


DataAddressMembers = Annotated[
    dict[str, Annotated[str, StringConstraints(max_length=4096)]], BeforeValidator(_address_members)
]
"""A data address as clients write it: `type` and text properties, without secrets."""


def data_address_of(members: Mapping[str, str]) -> DataAddress:
    """The domain's form."""
    return DataAddress(members["type"], {name: value for name, value in members.items() if name != "type"})


def shown_address(address: DataAddress) -> dict[str, str]:
    """The address as answers carry it, without secrets."""
    return {"@type": "DataAddress", "type": address.type, **address.without_secrets().properties}
