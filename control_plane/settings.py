"""What an operator may set of the control plane. Values only: the composing program reads files and environment."""

import ipaddress
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    StringConstraints,
    model_validator,
)

ParticipantId = Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=r"^[^\s]+$")]
Alias = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9._/-]+$")]
Url = Annotated[str, StringConstraints(max_length=2048, pattern=r"^https?://[^\s]+$")]


def _is_loopback(url: str | None) -> bool:
    host = urlsplit(url or "").hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _none_if_empty(value: object) -> object:
    return value if value != "" else None


class Section(BaseModel):
    """A section of the configuration: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class IdentitySettings(Section):
    """How this participant signs its messages."""

    signing_key_alias: Alias = "participant-signing-key"
    """Vault alias of the private key (PEM, P-256)."""
    token_seconds: PositiveFloat = 60
    """How long the token on one message is valid."""
    clock_skew_seconds: Annotated[float, Field(ge=0, le=300)] = 10


class CounterpartySettings(Section):
    """A participant that this one deals with."""

    id: ParticipantId
    public_key: Annotated[str, StringConstraints(min_length=1, max_length=8192)]
    """PEM of its public key (P-256)."""
    completion_evidence: Literal["marker", "message"] = "marker"
    """What the consumer completes on: the marker in its own storage, or (a provider that writes none) the message."""
    receipts: Literal["required", "optional"] = "required"
    """Whether a marker has to be signed with this participant's key. One that is signed is checked in any case."""


class OAuth2ClientSettings(Section):
    """How this control plane fetches tokens for a data plane (OAuth 2.0 client credentials)."""

    token_endpoint: Url
    client_id: Annotated[str, StringConstraints(min_length=1, max_length=512)]
    client_secret_alias: Alias
    """Vault alias of the client's secret."""
    scope: Annotated[str, StringConstraints(max_length=1024)] = ""
    audience: Annotated[str, StringConstraints(max_length=512)] = ""


class TokenIssuerSettings(Section):
    """Whose signed tokens a data plane sends. Their `sub` is the data plane's id."""

    issuer: Annotated[str, StringConstraints(min_length=1, max_length=512)] | None = None
    """The tokens' `iss`; None accepts any that the keys have signed."""
    audience: Annotated[str, StringConstraints(min_length=1, max_length=512)] | None = None
    """The tokens' `aud`; None: this participant's id."""
    jwks_uri: Url | None = None
    jwks: dict[str, Any] | None = None
    single_use: bool = False
    """Refuse a token whose `jti` was seen before: for data planes that fetch a token for each call."""

    @model_validator(mode="after")
    def _one_source_of_keys(self) -> Self:
        if (self.jwks is None) == (self.jwks_uri is None):
            raise ValueError("set exactly one of jwks and jwks_uri")
        return self


class DataPlaneEndpointSettings(Section):
    """A data plane that this control plane may use. An embedded one is reached through `socket`."""

    id: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    url: Url | None = None
    """Base address, with or without /dataflows; None: the data plane registers itself, under this id."""
    socket: str | None = None
    """Path of the Unix socket that an embedded data plane listens on."""
    transfer_types: tuple[str, ...] = ("AzureStorage-PUSH",)
    """What it serves; a registration of its own replaces this."""
    provision_with: Literal["control-plane", "data-plane"] = "control-plane"
    """Who makes destinations ready when this participant is the consumer; for a pull, whether this one fetches it."""
    token_alias: Annotated[Alias | None, BeforeValidator(_none_if_empty)] = "signaling-token"
    """Vault alias of the bearer token that both planes hold; empty: no authentication, on loopback only."""
    oauth2: OAuth2ClientSettings | None = None
    """In place of the shared token, towards the data plane."""
    token_issuer: TokenIssuerSettings | None = None
    """In place of the shared token, from the data plane."""
    shares_vault: bool = True
    """True: messages hold vault aliases. False: they hold the secret itself, which the data plane vaults at once."""
    legacy_members: bool = True
    """Also write transferType and callbackAddress, which data planes before Data Plane Signaling 1.0-RC3 need."""
    register_control_plane: bool = False
    """Make this control plane known to it (PUT /controlplanes), again and again, for it may forget."""
    callback_oauth2: OAuth2ClientSettings | None = None
    """With that registration: what the data plane fetches tokens with for its call-backs."""
    own_jwks_uri: Url | None = None
    """With that registration: the keys that verify the tokens which this control plane sends."""

    @property
    def believes_every_caller(self) -> bool:
        """Whether a call in this data plane's name needs no proof."""
        return self.token_alias is None and self.token_issuer is None

    @property
    def secret_aliases(self) -> tuple[str, ...]:
        """The vault aliases without which this data plane cannot be dealt with."""
        shares_token = self.oauth2 is None or self.token_issuer is None
        token = self.token_alias if shares_token else None
        clients = (self.oauth2, self.callback_oauth2)
        return tuple(alias for alias in (token, *(c.client_secret_alias for c in clients if c)) if alias)

    @model_validator(mode="after")
    def _open_only_on_loopback(self) -> Self:
        open_to_all = self.token_alias is None and (self.oauth2 is None or self.token_issuer is None)
        if open_to_all and self.socket is None and not _is_loopback(self.url):
            raise ValueError(
                "token_alias may only be left empty for a data plane with a url on loopback, or with oauth2"
            )
        return self


class OutboundSettings(Section):
    """Which addresses of outsiders may be called."""

    allowed_hosts: tuple[str, ...] = ()
    allowed_networks: tuple[str, ...] = ()
    allow_http: bool = False


class StorageSettings(Section):
    """Where this participant's storage accounts are."""

    endpoint_template: str = "https://{account}.blob.core.windows.net"
    sas_seconds: Annotated[float, Field(ge=5, le=7 * 86400)] = 86400
    """How long a destination's SAS is valid. A provider of our kind has it renewed in time; it is revoked earlier, as
    soon as the outcome is known. Below some minutes it is for tests: Azure honours a new one only after up to 30 s."""
    allow_tags: bool = False
    """Whether the SAS lets the provider set index tags too; its data plane does so with `carry_tags`."""


class TransferSettings(Section):
    """Patience. Each waiting state ends with a reason once its limit is over."""

    lease_seconds: PositiveFloat = 30
    """How long a process that a crashed connector held stays untouched."""
    call_seconds: PositiveFloat = 8
    """Limit of one call to a counterparty or a data plane."""
    retry_base_seconds: PositiveFloat = 1
    retry_cap_seconds: PositiveFloat = 60
    provisioning_seconds: PositiveFloat = 3600
    handshake_seconds: PositiveFloat = 86400
    """How long a message to the counterparty or the data plane is tried."""
    requested_seconds: PositiveFloat = 86400
    started_seconds: PositiveFloat = 7 * 86400
    suspended_seconds: PositiveFloat = 7 * 86400
    evidence_seconds: PositiveFloat = 600
    """How long the marker may be missing after the provider said that it is complete."""
    termination_seconds: PositiveFloat = 3600
    """How long the counterparty is told of a termination before this side ends alone."""
    status_check_seconds: PositiveFloat = 2
    """How often the consumer looks for a marker."""
    flow_check_seconds: PositiveFloat = 60
    """How often the provider asks its data planes about running flows, should a call-back ever be lost."""
    renewal_interval_seconds: Annotated[float, Field(ge=0, le=3600)] = 10
    """Shortest time between two renewals of one transfer's SAS; a provider that asks sooner gets 429."""
    parallel_steps: PositiveInt = 64
    """Steps under way at once; each may wait for a counterparty for `call_seconds`."""


class ControlPlaneSettings(Section):
    """All of the control plane."""

    participant_id: ParticipantId
    database_url: str
    protocol_url: Url
    """Public base address of the Dataspace Protocol, without the version path."""
    signaling_url: Url
    """Base address that data planes call back."""
    strict_pids: bool = True
    """Refuse protocol messages about a transfer whose process ids are not those of the process in the path."""
    identity: IdentitySettings = IdentitySettings()
    counterparties: tuple[CounterpartySettings, ...] = ()
    data_planes: tuple[DataPlaneEndpointSettings, ...] = ()
    outbound: OutboundSettings = OutboundSettings()
    storage: StorageSettings = StorageSettings()
    transfer: TransferSettings = TransferSettings()
