"""What is to be verified: the place, whose key the receipt must be signed with, and which transfer it must name."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from azure_storage.account_keys import AccountKeys
from azure_storage.endpoints import AZURE_PUBLIC_CLOUD, StorageEndpoints
from azure_storage.markers import CompleteMarker
from azure_storage.object_names import check_container, check_folder
from azure_storage.receipt_errors import ReceiptForeignError, ReceiptUnsignedError
from azure_storage.receipt_signature import check_signature, verification_key
from azure_storage.sas import SasToken
from azure_storage.service_sas import SasTerms, container_read_sas
from azure_storage.session import open_storage_session
from azure_storage.signed_place import SignedPlace
from connector_cli.configuration import counterparties_of, load_settings
from connector_cli.settings import ConnectorSettings
from connector_cli.verification.engine import ReadablePlace
from connector_cli.verification.folder_place import FolderPlace
from connector_spi.clock import SystemClock
from connector_spi.errors import ConfigurationError, InvalidInputError
from vault_adapters.factory import open_vault

_SIGNATURE_SECONDS = 7 * 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What the user named. `sas` opens the container; else the account's key in the vault of `config` does."""

    path: Path | None = None
    account: str = ""
    container: str = ""
    folder: str = ""
    key_name: str | None = None
    sas: str = ""
    endpoint_template: str = ""
    config: Path | None = None

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[ReadablePlace]:
        """The place.

        Raises:
            ConfigurationError, InvalidInputError: it is not named in full, or nothing opens it.
            SecretNotFoundError, VaultForbiddenError, VaultUnavailableError: the account's key could not be read.
        """
        if self.path is not None:
            yield FolderPlace(self._directory(self.path))
            return
        settings = load_settings(self.config) if self.config else None
        configured = settings.storage.endpoint_template if settings else AZURE_PUBLIC_CLOUD
        endpoints = StorageEndpoints(self.endpoint_template or configured)
        check_container(self.container, system_allowed=False)
        folder = check_folder(self.folder)
        token = SasToken.from_secret(self.sas) if self.sas else await self._signed(settings, endpoints)
        async with open_storage_session() as session:
            yield SignedPlace(
                token,
                endpoints=endpoints,
                account=self.account,
                container=self.container,
                folder=folder,
                session=session,
            )

    @staticmethod
    def _directory(path: Path) -> Path:
        if not path.is_dir():
            raise InvalidInputError(field="--path", value=str(path), problem="is no directory", remedy="Name one.")
        return path

    async def _signed(self, settings: ConnectorSettings | None, endpoints: StorageEndpoints) -> SasToken:
        if settings is None:
            raise ConfigurationError(
                key="--config",
                problem="is missing, and so is a signature: nothing opens the container",
                remedy="Name the connector's configuration, or give a SAS that reads and lists in CONNECTOR_SAS.",
            )
        vault = open_vault(settings.vault, os.environ)
        try:
            key = await AccountKeys(vault).key_of(self.account, self.key_name)
        finally:
            await vault.aclose()
        terms = SasTerms.from_now(
            SystemClock().now(), lifetime_seconds=_SIGNATURE_SECONDS, https_only=endpoints.is_https
        )
        return container_read_sas(self.account, self.container, account_key=key, terms=terms, listing=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the receipt must say of itself; None: whatever it says."""

    process_id: str | None = None
    agreement_id: str | None = None
    signer: str | None = None

    def check(self, marker: CompleteMarker) -> None:
        """Check whose receipt it is.

        Raises:
            ReceiptForeignError: that of another transfer.
        """
        wanted = {
            "process": (self.process_id, marker.process_id),
            "agreement": (self.agreement_id, marker.agreement_id),
        }
        for what, (expected, said) in wanted.items():
            if expected is not None and expected != said:
                raise ReceiptForeignError(f"The receipt is that of the {what} {said!r}, not of {expected!r}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Public keys (PEM) by participant, and one that counts for whoever signed."""

    by_participant: Mapping[str, str]
    for_all: str | None = None

    @classmethod
    def of(cls, config: Path | None, public_key: Path | None) -> "Keys":
        """From the configured counterparties, or one file.

        Raises:
            InvalidConfigurationError, ConfigurationError: a file cannot be read.
        """
        if public_key is not None:
            try:
                return cls(by_participant={}, for_all=public_key.read_text(encoding="ascii"))
            except (OSError, UnicodeDecodeError) as error:
                problem = f"cannot be read as text ({type(error).__name__})"
                raise ConfigurationError(key=str(public_key), problem=problem) from error
        known = counterparties_of(load_settings(config)) if config else ()
        return cls(by_participant={peer.id: peer.public_key for peer in known if peer.public_key})

    def check(self, marker: CompleteMarker, *, signer: str | None) -> str:
        """Check the signature, of `signer` where that is known; returns who signed.

        Raises:
            ReceiptUnsignedError, ReceiptSignerUnknownError, ReceiptSignatureError: it is not right.
            ConfigurationError: the signer's key is not known here.
            ReceiptKeyError: it is no key.
        """
        if marker.signature is None:
            raise ReceiptUnsignedError("The receipt is not signed. With --no-signature it is checked all the same.")
        participant = signer or marker.signer or ""
        pem = self.for_all or self.by_participant.get(participant)
        if pem is None:
            raise ConfigurationError(
                key="--public-key",
                problem=f"is missing, and no key of the signer {participant!r} is configured",
                remedy="Name the signer's public key, or a configuration that has it among its counterparties, or "
                "leave the signature out with --no-signature.",
            )
        check_signature(marker, signer=participant, key=verification_key(pem, name=participant))
        return participant
