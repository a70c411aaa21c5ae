"""What an operator may set: one TOML file, and environment variables that count before it.

`CONNECTOR_MANAGEMENT__PORT=8080` sets `port` of the table `[management]`. One file may serve both commands: `connector
run` reads every table, `connector data-plane` only `[data_plane]`, `[vault]`, `[storage]` and `[logging]`.
"""

import ipaddress
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from azure_storage.settings import AzureStorageSettings
from control_plane.settings import (
    Alias,
    CatalogSettings,
    CounterpartySettings,
    DataPlaneEndpointSettings,
    IdentitySettings,
    NegotiationSettings,
    OutboundSettings,
    ParticipantId,
    ProtocolMetadataSettings,
    Section,
    StorageSettings,
    TransferSettings,
    Url,
)
from data_plane.settings import DataPlaneSettings
from entra_identity.settings import EntraIdentitySettings
from vault_adapters.settings import VaultSettings

ENVIRONMENT_PREFIX = "CONNECTOR_"
NESTED_DELIMITER = "__"
EMBEDDED_ID = "embedded"
"""Id of the data plane that runs inside `connector run`."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a listener on this host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _checked_path(path: str) -> str:
    return "/" + path.strip("/") if path.strip("/") else ""


Host = Annotated[str, StringConstraints(min_length=1, max_length=253)]
Port = Annotated[int, Field(ge=1, le=65535)]
IdentityName = Annotated[str, StringConstraints(max_length=128, pattern=r"^[A-Za-z0-9._/-]+$")]
UrlPath = Annotated[
    str, StringConstraints(max_length=256, pattern=r"^[A-Za-z0-9._~/-]*$"), AfterValidator(_checked_path)
]


class ParticipantSection(Section):
    """Who this connector acts for."""

    id: ParticipantId


class ListenerSection(Section):
    """Where a listener listens."""

    host: Host = "127.0.0.1"
    port: Port

    @property
    def url(self) -> str:
        """The listener's own address."""
        return _url(self.host, self.port)

    @property
    def local_url(self) -> str:
        """The address that a program on this machine reaches it by."""
        return _url({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host), self.port)  # noqa: S104


class AdvertisedSection(ListenerSection):
    """A listener that others are told the address of."""

    public_url: Url | None = None
    """The address that they use; without it, that of the listener."""

    @model_validator(mode="after")
    def _reachable_address(self) -> Self:
        if self.public_url is None and self.local_url != self.url:
            raise ValueError(f"public_url is needed, because nobody can call {self.host}")
        return self


class ManagementSection(ListenerSection):
    """The management API."""

    port: Port = 19193
    path: UrlPath = "/management"
    api_key_alias: Alias = "management-api-key"
    """Vault alias of the key that clients send as X-Api-Key."""
    insecure_no_auth: bool = False
    """Let everybody in; only for development, and only on loopback."""

    @model_validator(mode="after")
    def _open_only_on_loopback(self) -> Self:
        if self.insecure_no_auth and not is_loopback(self.host):
            raise ValueError("insecure_no_auth is only possible while host is a loopback address")
        return self


class ProtocolSection(AdvertisedSection):
    """The Dataspace Protocol, which counterparties call."""

    port: Port = 19194
    path: UrlPath = "/protocol"
    """`public_url` includes it, or whatever a proxy has in its place."""
    strict_pids: bool = True
    """Refuse messages about a transfer whose process ids are not those of the process in the path."""
    metadata: ProtocolMetadataSettings = ProtocolMetadataSettings()
    """What the version document tells beside the version."""

    @property
    def advertised_url(self) -> str:
        """The address that counterparties are told."""
        return (self.public_url or self.url + self.path).rstrip("/")


class SignalingSection(AdvertisedSection):
    """The call-backs of data planes."""

    port: Port = 19192

    @property
    def advertised_url(self) -> str:
        """The address that data planes are told."""
        return (self.public_url or self.url).rstrip("/")


class DatabaseSection(Section):
    """Where the control plane keeps its state."""

    url: Annotated[str, StringConstraints(pattern=r"^(sqlite|postgresql|memory)://")] = "sqlite:///connector.db"


class LoggingSection(Section):
    """Log records go to standard error, one line each."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    format: Literal["json", "text"] = "text"


class CounterpartySection(CounterpartySettings):
    """A participant that this one deals with; its public key stands here or in a file of its own."""

    public_key_file: Path | None = None

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if self.public_key is not None and self.public_key_file is not None:
            raise ValueError("set only one of public_key and public_key_file")
        return self

    def with_key(self, public_key: str | None) -> CounterpartySettings:
        """The control plane's form."""
        return CounterpartySettings(**{**self.model_dump(exclude={"public_key_file"}), "public_key": public_key})


_OF_THIS_PROGRAM: Final = {"host", "port", "public", "provision_with", "storage"}
"""What stands in [data_plane] and is none of the data plane's own settings."""


class DataPlaneSection(DataPlaneSettings):
    """The data plane that this file describes, embedded or on its own, and its listener when it is on its own."""

    host: Host = "127.0.0.1"
    port: Port = 19195
    public: ListenerSection | None = None
    """A listener for /public alone, which the consumers of HTTP pulls call; they need it when embedded."""
    provision_with: Literal["control-plane", "data-plane"] = "control-plane"
    """Of the embedded data plane: as in [[data_planes]]."""
    signaling_token_alias: Alias | Literal[""] = "signaling-token"
    callback_token_alias: Alias | Literal[""] = "signaling-token"
    receipt_signing_key_alias: Alias | Literal[""] = "participant-signing-key"

    @model_validator(mode="after")
    def _open_only_on_loopback(self) -> Self:
        if self.insecure_no_auth and not is_loopback(self.host):
            raise ValueError("insecure_no_auth is only possible while host is a loopback address")
        if "storage" in self.model_fields_set:
            raise ValueError("storage stands in a table of its own: [storage]")
        return self

    @model_validator(mode="after")
    def _reachable_public_address(self) -> Self:
        if self.public is not None and not self.public_url and self.public.local_url != self.public.url:
            raise ValueError(f"public_url is needed, because nobody can call {self.public.host}")
        return self

    @property
    def advertised_public_url(self) -> str:
        """The address that consumers are told, without /public; empty: HTTP pulls are not served."""
        return self.public_url or (self.public.url if self.public else "")

    def to_data_plane(self, storage: StorageSettings, **changes: str | bool) -> DataPlaneSettings:
        """The data plane's own settings."""
        own = self.model_dump(exclude=_OF_THIS_PROGRAM)
        accounts = AzureStorageSettings(**storage.model_dump(include=set(AzureStorageSettings.model_fields)))
        known = {"storage": accounts, "public_url": self.advertised_public_url}
        return DataPlaneSettings(**own | known | changes)


class ConnectorSettings(BaseSettings):
    """Everything in the file."""

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX, env_nested_delimiter=NESTED_DELIMITER, extra="forbid", frozen=True
    )

    participant: ParticipantSection | None = None
    """Needed by `connector run` alone."""
    management: ManagementSection = ManagementSection()
    protocol: ProtocolSection = ProtocolSection()
    signaling: SignalingSection = SignalingSection()
    database: DatabaseSection = DatabaseSection()
    vault: VaultSettings
    storage: StorageSettings = StorageSettings()
    azure_identities: dict[IdentityName, EntraIdentitySettings] = Field(default_factory=dict)
    """Identities of Entra ID, by the name that storage accounts and the vault call them by."""
    identity: IdentitySettings = IdentitySettings()
    counterparties: tuple[CounterpartySection, ...] = ()
    embedded_data_plane: bool = False
    """Run the data plane of `[data_plane]` inside `connector run`."""
    data_planes: tuple[DataPlaneEndpointSettings, ...] = ()
    """Data planes that run on their own."""
    data_plane: DataPlaneSection = DataPlaneSection()
    outbound: OutboundSettings = OutboundSettings()
    transfer: TransferSettings = TransferSettings()
    negotiation: NegotiationSettings = NegotiationSettings()
    policy_plugins: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Settings of installed packages that evaluate left operands of policies, by the name of their entry point."""
    catalog: CatalogSettings = CatalogSettings()
    logging: LoggingSection = LoggingSection()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment first, then what the file says; nothing else is read."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings
