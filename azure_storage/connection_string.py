"""The connection string of a storage account, as the Azure portal shows it and other tools keep it.

Read as azure-storage-blob reads it: `Key=value` parted by semicolons, keys in any case. What gets in by copying (white
space, line breaks, quotation marks, a byte order mark) is left out first.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Final, Self

from azure_storage.endpoints import ACCOUNT_NAME, address_problem
from connector_spi.errors import PermanentError

_MAX_LENGTH: Final = 4096
_STRAY: Final = "\"'\ufeff\u200b;"
_COPY_AGAIN: Final = "Copy it again from the storage account."
_PUBLIC_SUFFIX: Final = "core.windows.net"
_AZURITE: Final = (
    "AccountName=devstoreaccount1;BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;AccountKey="
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
"""What `UseDevelopmentStorage=true` stands for: Azurite's account, whose key is public."""


class ConnectionStringMalformedError(PermanentError):
    """What should be a connection string cannot be used. Names the part, never shows the text."""

    code = "ConnectionStringMalformed"
    cause = "what should be the connection string of a storage account lacks a part, or is that of another account"
    remedy = (
        "Copy the connection string again from the storage account, whole, with AccountName and AccountKey; a SAS in "
        "place of the key cannot be used."
    )
    outward = "This connector has no usable key for its storage account; its operator's log tells more."

    def __init__(self, *, source: str, problem: str, remedy: str = _COPY_AGAIN) -> None:
        super().__init__(f"The connection string in {source} cannot be used: {problem}. {remedy}")
        self.problem = problem
        self.hint = remedy


@dataclass(frozen=True, slots=True, repr=False)
class ConnectionString:
    """What it says of the Blob service; its repr shows no key.

    `blob_endpoint`: the account's address, or None when the text names none, so that the endpoint template counts.
    """

    account_name: str
    account_key: str
    blob_endpoint: str | None = None

    def __repr__(self) -> str:
        return f"ConnectionString(account_name={self.account_name!r}, blob_endpoint={self.blob_endpoint!r}, key=***)"

    @classmethod
    def parse(cls, text: str, *, source: str = "the configuration", development: bool = False) -> Self:
        """Read a connection string with an account key.

        Args:
            text: the string.
            source: where it stood, for messages.
            development: take `UseDevelopmentStorage=true` as Azurite on this machine.

        Raises:
            ConnectionStringMalformedError: a part is missing or wrong, or it holds a SAS in place of the key.
        """
        parts = _Parts.of(text, source)
        if parts.get("UseDevelopmentStorage").lower() == "true":
            if not development:
                remedy = "Set development = true in [storage] on a developer's machine."
                raise parts.refused("UseDevelopmentStorage is for development alone", remedy)
            parts = _Parts.of(_AZURITE, source)
        if parts.has("SharedAccessSignature"):
            remedy = "Use one with AccountKey, or open the account with an identity."
            raise parts.refused("a SharedAccessSignature cannot sign what others may do", remedy)
        return cls(parts.account_name(), parts.account_key(), parts.blob_endpoint())


@dataclass(frozen=True, slots=True, repr=False)
class _Parts:
    """The parts of the text, by upper-case key."""

    source: str
    values: dict[str, str]

    @classmethod
    def of(cls, text: str, source: str) -> Self:
        found = cls(source, {})
        bare = "".join(text.split()).strip(_STRAY)
        if not bare or len(bare) > _MAX_LENGTH:
            raise found.refused("it is empty" if not bare else f"it is longer than {_MAX_LENGTH} characters")
        for part in filter(None, bare.split(";")):
            key, equals, value = part.partition("=")
            if not equals:
                raise found.refused("it is not a list of Key=value parted by semicolons")
            if found.has(key):
                raise found.refused("it names a key twice")
            found.values[key.upper()] = value
        return found

    def has(self, key: str) -> bool:
        return key.upper() in self.values

    def get(self, key: str, default: str = "") -> str:
        return self.values.get(key.upper(), default)

    def refused(self, problem: str, remedy: str = _COPY_AGAIN) -> ConnectionStringMalformedError:
        return ConnectionStringMalformedError(source=self.source, problem=problem, remedy=remedy)

    def account_name(self) -> str:
        name = self.get("AccountName")
        if not ACCOUNT_NAME.fullmatch(name):
            what = "is not 3 to 24 lower-case letters and digits" if name else "is missing"
            raise self.refused(f"AccountName {what}")
        return name

    def account_key(self) -> str:
        key = self.get("AccountKey")
        if not key:
            raise self.refused("AccountKey is missing")
        try:
            base64.b64decode(key, validate=True)
        except (binascii.Error, ValueError):
            raise self.refused("AccountKey is not base64 text") from None
        return key

    def blob_endpoint(self) -> str | None:
        """BlobEndpoint as it stands; else what protocol and suffix make; else none."""
        endpoint, key = self.get("BlobEndpoint"), "BlobEndpoint"
        if not endpoint and (self.has("DefaultEndpointsProtocol") or self.has("EndpointSuffix")):
            protocol = self.get("DefaultEndpointsProtocol", "https")
            endpoint = f"{protocol}://{self.account_name()}.blob.{self.get('EndpointSuffix', _PUBLIC_SUFFIX)}"
            key = "DefaultEndpointsProtocol/EndpointSuffix"
        if not endpoint:
            return None
        if problem := address_problem(endpoint):
            raise self.refused(f"{key} {problem}")
        return endpoint.rstrip("/")
