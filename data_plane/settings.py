"""DataPlaneSettings: values only. The command that runs a data plane reads them from TOML and environment."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

MEBIBYTE = 1024 * 1024


class DataPlaneSettings(BaseModel):
    """Everything that an operator may turn. Times are seconds, sizes are bytes; units stand in the names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database_url: str = Field(
        default="sqlite:///data-plane.db",
        description="Where flows and journal are kept: sqlite:///file.db or postgresql://user@host/name.",
    )
    storage_endpoint_template: str = Field(
        default="https://{account}.blob.core.windows.net",
        description="URL of a storage account; {account} stands for its name. No other host is ever written to.",
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
        description="Vault alias of the bearer token that the control plane has to send.",
    )
    callback_token_alias: str = Field(
        default="signaling-token",
        description="Vault alias of the bearer token sent with call-backs; empty: none is sent.",
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
    max_body_bytes: int = Field(default=MEBIBYTE, ge=1024, description="Largest signaling message that is read.")
    prepared_signature_seconds: float = Field(
        default=86_400.0, gt=0, description="Life of the write signature that `prepare` gives out."
    )
