"""What an operator may set of the control plane. Values only: the composing program reads files and environment."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, StringConstraints

ParticipantId = Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=r"^[^\s]+$")]
Alias = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9._/-]+$")]
Url = Annotated[str, StringConstraints(max_length=2048, pattern=r"^https?://[^\s]+$")]


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


class DataPlaneEndpointSettings(Section):
    """A data plane that this control plane may use. An embedded one is reached through `socket`."""

    id: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    url: Url
    """Base address, without /dataflows."""
    socket: str | None = None
    """Path of the Unix socket that an embedded data plane listens on."""
    transfer_types: tuple[str, ...] = ("AzureStorage-PUSH",)
    token_alias: Alias | None = "signaling-token"
    """Vault alias of the bearer token that both planes hold; None: no authentication."""
    shares_vault: bool = True
    """True: messages hold vault aliases. False: they hold the secret itself, which the data plane vaults at once."""


class OutboundSettings(Section):
    """Which addresses of outsiders may be called."""

    allowed_hosts: tuple[str, ...] = ()
    allowed_networks: tuple[str, ...] = ()
    allow_http: bool = False


class StorageSettings(Section):
    """Where this participant's storage accounts are."""

    endpoint_template: str = "https://{account}.blob.core.windows.net"
    sas_seconds: Annotated[float, Field(ge=60, le=7 * 86400)] = 86400
    """How long a destination's SAS is valid; it is revoked earlier, as soon as the outcome is known."""


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
    identity: IdentitySettings = IdentitySettings()
    counterparties: tuple[CounterpartySettings, ...] = ()
    data_planes: tuple[DataPlaneEndpointSettings, ...] = ()
    outbound: OutboundSettings = OutboundSettings()
    storage: StorageSettings = StorageSettings()
    transfer: TransferSettings = TransferSettings()
