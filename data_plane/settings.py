"""DataPlaneSettings: values only. The command that runs a data plane reads them from TOML and environment."""

from ipaddress import ip_network
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from azure_storage.settings import AzureStorageSettings

MEBIBYTE = 1024 * 1024


class OutboundSettings(BaseModel):
    """Which addresses may be called that come with a flow: those of HTTP sources and destinations."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    allowed_hosts: tuple[str, ...] = Field(
        default=(), description="Exact names, or *.example.org; when not empty, no other host is called."
    )
    allowed_networks: tuple[str, ...] = Field(
        default=(), description="Private, loopback or otherwise special networks that may be called all the same."
    )
    allow_http: bool = Field(default=False, description="Accept plain http. For development.")

    @field_validator("allowed_networks")
    @classmethod
    def _are_networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for network in networks:
            ip_network(network)
        return networks


class DatasetSettings(BaseModel):
    """Where the data of one dataset lies or goes, for control planes that do not say so."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str = Field(min_length=1, description="DataAddress type, such as AzureStorage.")
    properties: dict[str, str] = Field(
        default_factory=dict, description="As in `metadata.source`; a credential as the vault alias `keyName` alone."
    )


class ControlPlaneTokenSettings(BaseModel):
    """Authorization profile oauth2_client_credentials between this data plane and the control plane of the settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    control_plane_id: str = Field(default="", description="Subject of the tokens that it sends; empty: it sends none.")
    jwks_uri: str = Field(default="", description="Where the keys are that its tokens are checked with.")
    token_endpoint: str = Field(default="", description="Where tokens for call-backs come from; empty: none are used.")
    client_id: str = Field(default="", description="Whom those tokens are asked for.")
    client_secret_alias: str = Field(default="", description="Vault alias of the client's secret.")
    scope: str = Field(default="", description="What the tokens are asked for.")


class RegistrationSettings(BaseModel):
    """A control plane that this data plane makes itself known to, at its start and from time to time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(
        min_length=1,
        description="Where to PUT the registration: <signaling>/dataplanes, or <management>/v4/dataplanes of an EDC.",
    )
    endpoint: str = Field(
        min_length=1,
        description="Our address as that control plane calls it. EDC wants it to end in /dataflows; others must not.",
    )
    profiles: tuple[str, ...] = Field(
        default=(), description="What is offered; empty: every profile of this data plane."
    )
    labels: tuple[str, ...] = Field(default=(), description="Labels of the specification.")
    api_key_alias: str = Field(default="", description="Vault alias of an API key to send as X-Api-Key (EDC).")
    token_alias: str = Field(default="", description="Vault alias of a bearer token to send.")
    token_endpoint: str = Field(
        default="", description="Where the control plane gets tokens to call us with; with it, the next two are needed."
    )
    client_id: str = Field(default="", description="The control plane's client id there.")
    client_secret_alias: str = Field(default="", description="Vault alias of the control plane's client secret there.")
    jwks_uri: str = Field(default="", description="Where the control plane finds the keys of the tokens that we send.")
    every_seconds: float = Field(default=60.0, ge=1, description="How often the registration is repeated.")
    leave_at_stop: bool = Field(default=False, description="Take the registration back when this process is stopped.")


class DataPlaneSettings(BaseModel):
    """Everything that an operator may turn. Times are seconds, sizes are bytes; units stand in the names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database_url: str = Field(
        default="sqlite:///data-plane.db",
        description="Where flows and journal are kept: sqlite:///file.db or postgresql://user@host/name.",
    )
    storage: AzureStorageSettings = Field(
        default=AzureStorageSettings(),
        description="The storage accounts, and what opens them. No other host is ever written to.",
    )
    outbound: OutboundSettings = Field(
        default=OutboundSettings(), description="Which addresses HTTP sources and destinations may name."
    )
    local_file_root: str = Field(
        default="",
        description="Folder below which LocalFile sources and destinations lie; empty: there are none. Whoever can "
        "start a flow can read and write there.",
    )
    plugins: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="Settings of plug-ins, by the DataAddress type that they serve."
    )
    control_plane_url: str = Field(
        default="", description="Base URL of the control plane's signaling API, where call-backs go."
    )
    accepted_callback_urls: tuple[str, ...] = Field(
        default=(),
        description="Base URLs that a message may name as its callbackAddress; any other is ignored in favour of "
        "control_plane_url.",
    )
    signaling_token_alias: str = Field(
        default="signaling-token",
        description="Vault alias of the bearer token that the control plane has to send; empty: signed tokens alone.",
    )
    callback_token_alias: str = Field(
        default="signaling-token",
        description="Vault alias of the bearer token sent with call-backs; empty: none is sent.",
    )
    receipt_signing_key_alias: str = Field(
        default="",
        description="Vault alias of the participant's private key (PEM, P-256), which signs what a transfer leaves at "
        "the destination; empty: not signed, and counterparties that want receipts refuse the transfer.",
    )
    insecure_no_auth: bool = Field(
        default=False,
        description="Accept messages without a token. For development: the listener must be on loopback or a Unix "
        "socket.",
    )
    worker_name: str = Field(default="", description="Names this process in leases; empty: host name and process id.")
    max_flows: int = Field(default=32, ge=1, description="Flows that this process works on at once.")
    max_objects_in_parallel: int = Field(default=64, ge=1, description="Objects of one flow under way at once.")
    max_blocks_in_parallel: int = Field(default=8, ge=1, description="Blocks of one object under way at once.")
    max_requests_in_parallel: int = Field(
        default=64,
        ge=1,
        description="Requests of one flow to storage under way at once; fewer while a service is too busy.",
    )
    byte_budget_bytes: int = Field(
        default=32 * MEBIBYTE,
        ge=MEBIBYTE,
        description="Bytes of blocks in memory at once, for all flows together, shared fairly.",
    )
    copy_mode: Literal["auto", "streamed", "server-side"] = Field(
        default="auto",
        description="How bytes travel: through this process (streamed), from storage service to storage service "
        "(server-side; a flow for which that cannot work fails), or server-side where it works and streamed elsewhere.",
    )
    block_checksum: Literal["crc64", "md5"] = Field(
        default="crc64",
        description="Which checksum goes with each block that is sent. Azurite is fastest with md5; Azure takes both, "
        "and crc64 costs next to nothing here.",
    )
    carry_tags: bool = Field(
        default=False,
        description="Whether the index tags of source objects are set at the destination. The write signature has to "
        "allow tags (permission t), and the source's account key or role reading them.",
    )
    on_source_change: Literal["fail", "restart"] = Field(
        default="fail",
        description="What happens when a source object changes while the flow runs: the flow ends with the reason, or "
        "the object is copied in its new version.",
    )
    flow_bytes_per_second: int = Field(default=0, ge=0, description="Bandwidth of one flow; 0: no limit.")
    process_bytes_per_second: int = Field(default=0, ge=0, description="Bandwidth of this process; 0: no limit.")
    lease_seconds: float = Field(
        default=10.0, ge=1.0, description="How long a flow stays with a process that has died."
    )
    heartbeat_seconds: float = Field(
        default=1.0, gt=0, description="How often a lease is renewed and the flow's state is looked at."
    )
    poll_seconds: float = Field(
        default=1.0, gt=0, description="How often the database is asked for work that nobody announced."
    )
    progress_seconds: float = Field(default=1.0, gt=0, description="How often progress is reported, while it changes.")
    no_progress_seconds: float = Field(
        default=300.0, gt=0, description="A flow in which no block moves for so long ends with a reason."
    )
    max_flow_seconds: float = Field(
        default=7 * 86_400.0, gt=0, description="Absolute cap of a flow, counted from its last start or resume."
    )
    retry_first_seconds: float = Field(default=0.2, gt=0, description="First wait after a transient error.")
    retry_cap_seconds: float = Field(default=15.0, gt=0, description="Longest wait between attempts.")
    signature_grace_seconds: float = Field(
        default=35.0,
        ge=0,
        description="How long after its start a flow takes a refused write signature as `not known everywhere yet`.",
    )
    renew_before_seconds: float = Field(
        default=300.0,
        ge=0,
        description="How long before its end a write signature is renewed at the latest; the second half of its life "
        "when that is shorter. The control plane has this long to be reachable again.",
    )
    park_before_seconds: float = Field(
        default=10.0,
        ge=0,
        description="How long before the end of a write signature, when no other is to be had, the last call begins; "
        "then the flow is parked (SUSPENDED). At most a tenth of the signature's life.",
    )
    renewal_patience_seconds: float = Field(
        default=60.0,
        ge=0,
        description="How long a control plane that does not answer is asked for a fresh write signature, before the "
        "flow is parked.",
    )
    failed_marker_seconds: float = Field(
        default=3600.0, ge=0, description="How long .failed is tried at a destination that does not answer."
    )
    callback_patience_seconds: float = Field(
        default=7 * 86_400.0,
        ge=0,
        description="How long a control plane that does not take the outcome of a flow (no answer, 401, 403, 404, 409, "
        "...) is told again, counted from the outcome.",
    )
    answer_retention_seconds: float = Field(
        default=86_400.0,
        ge=0,
        description="How long after a flow's outcome the same message again still gets the same answer.",
    )
    orphaned_secret_seconds: float = Field(
        default=86_400.0,
        ge=0,
        description="How long a secret that this data plane stored has to be without a data flow that needs it before "
        "it is removed from the vault; counted anew after a restart. 0: such secrets stay.",
    )
    max_body_bytes: int = Field(default=MEBIBYTE, ge=1024, description="Largest signaling message that is read.")
    prepared_signature_seconds: float = Field(
        default=86_400.0, gt=0, description="Life of the write signature that `prepare` gives out."
    )
    data_plane_id: str = Field(
        default="data-plane",
        min_length=1,
        max_length=256,
        description="Our id in registrations; the audience of signed tokens that control planes send, and the subject "
        "of those that we send.",
    )
    control_plane_tokens: ControlPlaneTokenSettings = Field(
        default=ControlPlaneTokenSettings(), description="Signed tokens in the place of the shared one."
    )
    signed_tokens_once: bool = Field(
        default=False,
        description="Accept each signed token (its jti) once. For control planes that fetch a token for every message, "
        "as EDC does; one that keeps its token for several messages is refused from the second on.",
    )
    insecure_unsigned_tokens: bool = Field(
        default=False,
        description="Believe the tokens of control planes that registered without keys. For development.",
    )
    registrations: tuple[RegistrationSettings, ...] = Field(
        default=(), description="Control planes that this data plane registers itself with."
    )
    datasets: dict[str, DatasetSettings] = Field(
        default_factory=dict, description="Where datasets lie, by id, for `start` messages without `metadata.source`."
    )
    destinations: dict[str, DatasetSettings] = Field(
        default_factory=dict,
        description="Where datasets are received, by id, for `prepare` messages without `metadata.destination`.",
    )
    profile_root: str = Field(
        default="https://w3id.org/dspace-sig/profile",
        description="What the URLs of the azure-blob profile begin with, before /azure-blob-push and /azure-blob-pull.",
    )
    answer_within_seconds: float = Field(
        default=5.0,
        gt=0,
        description="How long `prepare` and `start` may take; then they are answered with 202 and go on by themselves.",
    )
    readiness_patience_seconds: float = Field(
        default=600.0, gt=0, description="How long a flow that was answered with 202 is made ready before it fails."
    )
    callback_hold_seconds: float = Field(
        default=0.2,
        ge=0,
        description="Earliest call-back after `prepare` or `start`: the control plane has to have read our answer.",
    )
    completed_hold_seconds: float = Field(
        default=0.2,
        ge=0,
        description="Earliest `completed` after the start of a flow. For an EDC two ticks of its state machine (2.0): "
        "else it completes before it has announced the start.",
    )
    start_resumes_suspended: bool = Field(
        default=False,
        description="Take a second `start` of a suspended flow for its resume, as EDC up to 0.17 means it.",
    )
    public_url: str = Field(
        default="",
        description="Where consumers reach this data plane's /public, without that; empty: HTTP pulls are not served. "
        "Only /public has to be reachable from outside.",
    )
    public_token_seconds: float = Field(
        default=3600.0, ge=1, description="Life of the token of an HTTP pull; it can be renewed while the flow runs."
    )
    max_public_reads: int = Field(default=32, ge=1, description="Objects that are read at /public at the same time.")
    max_public_reads_each: int = Field(default=16, ge=1, description="Of them, those of one consumer.")
    max_public_writes: int = Field(
        default=32, ge=1, description="Objects that are received at /public/inbox at the same time."
    )
    max_inbox_object_bytes: int = Field(
        default=1024**4, ge=1, description="Largest object that is received at /public/inbox."
    )
    inbox_block_seconds: float = Field(
        default=60.0, gt=0, description="How long one block of 8 MiB may take to arrive at /public/inbox."
    )
    pull_signature_seconds: float = Field(
        default=3600.0, ge=60, description="Life of the read signature that an AzureStorage pull gives out."
    )
    did_http_hosts: tuple[str, ...] = Field(
        default=(),
        description="Hosts (with port) whose did:web documents are fetched without TLS. For development; "
        "outbound.allow_http is needed too.",
    )
