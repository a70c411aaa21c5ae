"""What an operator may set of the control plane. Values only: the composing program reads files and environment."""

import ipaddress
import json
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    StringConstraints,
    model_validator,
)

from azure_storage.settings import AzureStorageSettings
from control_plane.domain.participant import CLAIMS_MAX_BYTES

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


def _small(claims: dict[str, Any]) -> dict[str, Any]:
    if len(json.dumps(claims, default=str)) > CLAIMS_MAX_BYTES:
        raise ValueError(f"is larger than {CLAIMS_MAX_BYTES} bytes")
    return claims


class OAuth2IdentitySettings(Section):
    """Tokens of an authorization server that the participants trust (`identity.mode = "oauth2"`)."""

    token_endpoint: Url
    client_id: Annotated[str, StringConstraints(min_length=1, max_length=512)]
    client_secret_alias: Alias
    """Vault alias of the client's secret."""
    scope: Annotated[str, StringConstraints(max_length=1024)] = ""
    audience: Annotated[str, StringConstraints(max_length=512)] = "{counterparty}"
    """Whom the tokens are for that this side asks for: `{counterparty}` stands for the participant that is called;
    empty: not said."""
    resource: Annotated[str, StringConstraints(max_length=2048)] = ""
    """The same for servers that follow RFC 8707."""

    issuer: Annotated[str, StringConstraints(min_length=1, max_length=512)]
    """The `iss` of the tokens that counterparties send."""
    jwks_uri: Url | None = None
    """Where the keys are that sign those tokens; or `jwks`, the keys themselves."""
    jwks: dict[str, Any] | None = None
    accepted_audience: Annotated[str, StringConstraints(min_length=1, max_length=512)] | None = None
    """The `aud` of those tokens; None: this participant's id."""
    participant_claim: Annotated[str, StringConstraints(min_length=1, max_length=256)] = "sub"
    """Which claim names the participant: `azp`, `client_id`, `referringConnector`; a nested one as `outer.inner`."""
    claims: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=256)], ...], Field(max_length=50)
    ] = ()
    """Which claims policies may ask for, each under this name; a nested one as `outer.inner`."""
    max_token_seconds: Annotated[float, Field(gt=0, le=7 * 86400)] = 86400
    """A token that claims a longer life is refused."""
    single_use: bool = False
    """Accept a token's `jti` once. Clients use such a token for many calls, so this is for those that do not."""

    @model_validator(mode="after")
    def _one_source_of_keys(self) -> Self:
        if (self.jwks is None) == (self.jwks_uri is None):
            raise ValueError("set exactly one of jwks and jwks_uri")
        return self


class CounterpartyTokenSettings(Section):
    """Tokens for and of one counterparty; None: as in `[identity.oauth2]`."""

    scope: Annotated[str, StringConstraints(max_length=1024)] | None = None
    audience: Annotated[str, StringConstraints(max_length=512)] | None = None
    resource: Annotated[str, StringConstraints(max_length=2048)] | None = None
    claim_value: Annotated[str, StringConstraints(min_length=1, max_length=512)] | None = None
    """What `participant_claim` says in its tokens where that is not its id, but the number of a client, say."""


class IdentitySettings(Section):
    """How this participant proves who it is, and how others do."""

    mode: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,64}$")] = "key"
    """`key`: a token for each message, signed with the sender's own key. `oauth2`: tokens of an authorization server.
    `dcp-id-token`: as `key`, in the form of a Self-Issued ID Token, with keys from did:web documents. `client-id`: a
    name without any proof, for labs. Any other name: an installed plug-in."""
    signing_key_alias: Alias = "participant-signing-key"
    """Vault alias of the private key (PEM, P-256)."""
    token_seconds: PositiveFloat = 60
    """How long the token on one message is valid."""
    clock_skew_seconds: Annotated[float, Field(ge=0, le=300)] = 10
    """How far clocks may be apart when a token is checked."""
    oauth2: OAuth2IdentitySettings | None = None
    allow_insecure_client_id: bool = False
    """Needed for `client-id`: everybody who reaches this connector may then call under any name."""
    key_name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,128}$")] = "key-1"
    """Of `dcp-id-token`: the signing key's name in this participant's own DID document."""
    did_http_hosts: tuple[str, ...] = ()
    """Hosts (with their port) whose DID documents are fetched without TLS; for development."""
    plugin: dict[str, Any] = Field(default_factory=dict)
    """What an installed plug-in gets; never secrets, but their vault aliases."""


class CounterpartySettings(Section):
    """A participant that this one deals with."""

    id: ParticipantId
    public_key: Annotated[str, StringConstraints(min_length=1, max_length=8192)] | None = None
    """PEM of its public key (P-256); without one, nothing that it signed itself is believed, receipts included."""
    key_source: Literal["configured", "did-web"] = "configured"
    """With `identity.mode = "key"`: `did-web` takes its keys from the DID document that its id names."""
    claims: Annotated[dict[str, Any], AfterValidator(_small)] = Field(default_factory=dict)
    """What policies may ask for about it, on this operator's word; counts before what a token says."""
    oauth2: CounterpartyTokenSettings = CounterpartyTokenSettings()
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
    source_types: tuple[Annotated[str, StringConstraints(min_length=1, max_length=256)], ...] = ()
    """DataAddress types of the assets that it serves; empty: any. Of others the catalog shows nothing by this data
    plane."""
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


class StorageSettings(AzureStorageSettings):
    """This participant's storage accounts, and what destinations in them allow."""

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
    restart_look_seconds: PositiveFloat = 5
    """How often a provider that acknowledged a resumption is asked whether it has started, should it send no start."""
    termination_seconds: PositiveFloat = 3600
    """How long the counterparty is told of a termination before this side ends alone."""
    status_check_seconds: PositiveFloat = 2
    """How often the consumer looks for a marker."""
    flow_check_seconds: PositiveFloat = 60
    """How often the provider asks its data planes about running flows, should a call-back ever be lost."""
    policy_check_seconds: PositiveFloat = 60
    """How often the provider asks whether the policies of running transfers still permit them; sooner where a time
    window is known to end."""
    renewal_interval_seconds: Annotated[float, Field(ge=0, le=3600)] = 10
    """Shortest time between two renewals of one transfer's SAS; a provider that asks sooner gets 429."""
    orphaned_secret_seconds: Annotated[float, Field(ge=0)] = 86400
    """How long a secret that this control plane stored has to be without a transfer that needs it before it is removed
    from the vault; counted anew after a restart. 0: such secrets stay."""
    parallel_steps: PositiveInt = 64
    """Steps under way at once; each may wait for a counterparty for `call_seconds`."""


class ProtocolAuthSettings(Section):
    """How callers prove who they are, as the version document tells it."""

    protocol: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    version: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    profile: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=256)], ...], Field(max_length=20)
    ] = ()


class ProtocolMetadataSettings(Section):
    """What the version document tells beside the version: for people and for other connectors, checked by nobody."""

    service_id: Annotated[str, StringConstraints(min_length=1, max_length=512)] | None = None
    identifier_type: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    """How participants are named, such as `did:web`."""
    auth: ProtocolAuthSettings | None = None


class CatalogSettings(Section):
    """What counterparties get when they ask for the catalog."""

    page_size: Annotated[int, Field(ge=1, le=5000)] = 500
    """Datasets in one answer, where the counterparty asks for no limit. Links lead to the others."""


class NegotiationSettings(Section):
    """Who decides in negotiations, and how long that may take."""

    manual_decisions: bool = False
    """True: each decision waits for a client's command. False: the provider agrees by itself to what it offers, and
    answers other terms with its offer; the consumer accepts by itself what it asked for."""
    decision_seconds: PositiveFloat = 7 * 86400
    """How long a negotiation waits for a decision, of its own people or of the counterparty."""


class ControlPlaneSettings(Section):
    """All of the control plane."""

    participant_id: ParticipantId
    database_url: str
    protocol_url: Url
    """Public base address of the Dataspace Protocol, without the version path."""
    signaling_url: Url
    """Base address that data planes call back."""
    protocol_metadata: ProtocolMetadataSettings = ProtocolMetadataSettings()
    strict_pids: bool = True
    """Refuse protocol messages about a transfer whose process ids are not those of the process in the path."""
    identity: IdentitySettings = IdentitySettings()
    counterparties: tuple[CounterpartySettings, ...] = ()
    data_planes: tuple[DataPlaneEndpointSettings, ...] = ()
    outbound: OutboundSettings = OutboundSettings()
    storage: StorageSettings = StorageSettings()
    policy_plugins: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Settings of plug-ins that evaluate left operands of policies, by the name of their entry point."""
    transfer: TransferSettings = TransferSettings()
    negotiation: NegotiationSettings = NegotiationSettings()
    catalog: CatalogSettings = CatalogSettings()
