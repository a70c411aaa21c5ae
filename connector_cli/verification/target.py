"""What is to be verified: the place, whose key the receipt must be signed with, and which transfer it must name."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from azure_storage.endpoints import StorageEndpoints
from azure_storage.markers import CompleteMarker
from azure_storage.object_names import check_container, check_folder
from azure_storage.opening import open_storage, tls_of
from azure_storage.receipt_errors import ReceiptForeignError, ReceiptUnsignedError
from azure_storage.receipt_signature import check_signature, verification_key
from azure_storage.sas import SasToken
from azure_storage.session import StorageSession, open_storage_session
from azure_storage.settings import AzureStorageSettings
from azure_storage.signed_place import SignedPlace
from connector_cli.configuration import counterparties_of, load_settings
from connector_cli.opened_vault import opened_vault
from connector_cli.settings import ConnectorSettings
from connector_cli.verification.folder_place import FolderPlace
from connector_cli.verification.readable_place import ReadablePlace
from connector_spi.clock import SystemClock
from connector_spi.errors import ConfigurationError, InvalidInputError

_SIGNATURE_SECONDS = 7 * 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What the user named. `sas` opens the container; else what `config` says opens the account: a key or identity."""

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
        check_container(self.container, system_allowed=False)
        folder = check_folder(self.folder)
        settings = load_settings(self.config) if self.config else None
        async with self._signed(settings, self._storage(settings)) as signed:
            yield SignedPlace(
                signed.token,
                endpoints=signed.endpoints,
                account=self.account,
                container=self.container,
                folder=folder,
                session=signed.session,
            )

    @staticmethod
    def _directory(path: Path) -> Path:
        if not path.is_dir():
            raise InvalidInputError(field="--path", value=str(path), problem="is no directory", remedy="Name one.")
        return path

    def _storage(self, settings: ConnectorSettings | None) -> AzureStorageSettings:
        """As configured; the address that the user named counts for every account."""
        storage = settings.storage if settings else AzureStorageSettings()
        if not self.endpoint_template:
            return storage
        endpoints = StorageEndpoints(self.endpoint_template)
        accounts = tuple(
            account.model_copy(update={"endpoint": endpoints.account_url(account.name)}) for account in storage.accounts
        )
        return storage.model_copy(update={"endpoint_template": self.endpoint_template, "accounts": accounts})

    @asynccontextmanager
    async def _signed(
        self, settings: ConnectorSettings | None, storage: AzureStorageSettings
    ) -> AsyncIterator["_SignedContainer"]:
        if self.sas:
            token = SasToken.from_secret(self.sas)
            async with open_storage_session(tls=tls_of(storage.ca_file)) as session:
                yield _SignedContainer(token, StorageEndpoints.of(storage), session)
            return
        if settings is None:
            raise ConfigurationError(
                key="--config",
                problem="is missing, and so is a signature: nothing opens the container",
                remedy="Name the connector's configuration, or give a SAS that reads and lists in CONNECTOR_SAS.",
            )
        lasting = storage.model_copy(update={"delegation_sas_seconds": _SIGNATURE_SECONDS})
        async with (
            opened_vault(settings, actor="operator") as opened,
            open_storage(lasting, opened.vault, SystemClock(), credentials=opened.identities) as own,
        ):
            token = await own.objects.mint_read_sas(
                self.account,
                self.container,
                lifetime_seconds=_SIGNATURE_SECONDS,
                listing=True,
                key_name=self.key_name,
            )
            yield _SignedContainer(token, own.endpoints, own.session)


@dataclass(frozen=True, slots=True)
class _SignedContainer:
    token: SasToken
    endpoints: StorageEndpoints
    session: StorageSession


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
