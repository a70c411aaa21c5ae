"""Messages of Data Plane Signaling (DPS 1.0-RC3), shared by the control plane's client and the data plane's server.

Read leniently (unknown members are ignored, older spellings accepted), written strictly (no null members). The
members under "extension" are this project's own; other control planes and data planes ignore them.
"""

from enum import StrEnum
from typing import Any
from uuid import uuid4

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from connector_spi.data_address import DataAddressMessage


class DataFlowState(StrEnum):
    """States of a data flow on the wire."""

    INITIALIZED = "INITIALIZED"
    PREPARING = "PREPARING"
    PREPARED = "PREPARED"
    STARTING = "STARTING"
    STARTED = "STARTED"
    SUSPENDED = "SUSPENDED"
    COMPLETED = "COMPLETED"
    TERMINATED = "TERMINATED"


class SignalingMessage(BaseModel):
    """What all messages have in common: camelCase on the wire, unknown members ignored."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True, extra="ignore")

    message_id: str = Field(default_factory=lambda: str(uuid4()), alias="messageId", max_length=256)

    def wire(self) -> dict[str, Any]:
        """The JSON body, without null members."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class DataFlowBaseMessage(SignalingMessage):
    """What `prepare` and `start` carry."""

    participant_id: str = Field(alias="participantId", max_length=512)
    counter_party_id: str = Field(alias="counterPartyId", max_length=512)
    dataspace_context: str = Field(alias="dataspaceContext", max_length=512)
    process_id: str = Field(alias="processId", min_length=1, max_length=256)
    agreement_id: str = Field(alias="agreementId", max_length=512)
    dataset_id: str = Field(alias="datasetId", max_length=1024)
    profile: str = Field(validation_alias=AliasChoices("profile", "transferType"), max_length=512)
    claims: dict[str, Any] = Field(default_factory=dict)
    labels: list[str] | None = None
    metadata: dict[str, Any] | None = None
    callback_address: str | None = Field(default=None, alias="callbackAddress", max_length=2048)


class DataFlowPrepareMessage(DataFlowBaseMessage):
    """Consumer side: make ready to receive. `metadata.destination` may hold the wished address (extension)."""


class DataFlowStartMessage(DataFlowBaseMessage):
    """Provider side: start to send. `metadata.source` may hold the source address (extension)."""

    data_address: DataAddressMessage | None = Field(default=None, alias="dataAddress")


class DataFlowStartedNotificationMessage(SignalingMessage):
    """Consumer side: the provider has started."""

    data_address: DataAddressMessage | None = Field(default=None, alias="dataAddress")


class DataFlowSuspendMessage(SignalingMessage):
    """Stop the bytes for now."""

    reason: str | None = Field(default=None, max_length=4096)


class DataFlowResumeMessage(SignalingMessage):
    """Go on, perhaps with a fresh credential; account and container may not change."""

    data_address: DataAddressMessage | None = Field(default=None, alias="dataAddress")


class DataFlowTerminateMessage(SignalingMessage):
    """Stop for good."""

    reason: str | None = Field(default=None, max_length=4096)


class DataFlowProgress(BaseModel):
    """How far a flow is (extension)."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True, extra="ignore")

    bytes_copied: int = Field(default=0, ge=0, alias="bytesCopied")
    bytes_total: int | None = Field(default=None, ge=0, alias="bytesTotal")
    """Sum of the sizes of the objects listed so far; final once `listing_complete`."""
    objects_copied: int = Field(default=0, ge=0, alias="objectsCopied")
    objects_total: int | None = Field(default=None, ge=0, alias="objectsTotal")
    listing_complete: bool = Field(default=False, alias="listingComplete")
    bytes_per_second: float = Field(default=0.0, ge=0, allow_inf_nan=False, alias="bytesPerSecond")
    eta_seconds: float | None = Field(default=None, ge=0, allow_inf_nan=False, alias="etaSeconds")
    copy_mode: str | None = Field(default=None, max_length=64, alias="copyMode")
    """`streamed` through the data plane, or `server-side` from storage to storage; None until that is decided."""


class DataFlowError(BaseModel):
    """Why a flow failed (extension): the same facts that the `.failed` marker holds."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True, extra="ignore")

    code: str = Field(max_length=128)
    message: str = Field(max_length=4096)
    object_name: str | None = Field(default=None, alias="object", max_length=2048)
    retryable: bool = False
    remedy: str | None = Field(default=None, max_length=2048)
    """What the operator does about it. For the control plane's own side, never for the counterparty."""


class DataFlowStatusMessage(SignalingMessage):
    """Answer to prepare, start and resume; body of the call-backs (prepared, started, completed, errored, ...)."""

    data_flow_id: str | None = Field(default=None, alias="dataFlowId", max_length=256)
    state: DataFlowState | None = None
    data_address: DataAddressMessage | None = Field(default=None, alias="dataAddress")
    error: str | None = Field(default=None, max_length=4096)
    reason: str | None = Field(default=None, max_length=4096)
    """Why the flow was parked (extension; in the call-back suspended)."""
    progress: DataFlowProgress | None = None
    failure: DataFlowError | None = None


class DataFlowStatusResponseMessage(BaseModel):
    """Answer to GET status."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True, extra="ignore")

    data_flow_id: str = Field(alias="dataFlowId")
    state: DataFlowState
    reason: str | None = None
    """Why the flow is suspended or was terminated (extension)."""
    progress: DataFlowProgress | None = None
    failure: DataFlowError | None = None
