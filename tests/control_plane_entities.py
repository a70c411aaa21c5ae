"""Examples of the control plane's entities, plain ones and, by Hypothesis, any."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from hypothesis import strategies as st

from connector_spi.data_address import DataAddress
from connector_spi.signaling import DataFlowProgress
from control_plane.domain.asset import Asset
from control_plane.domain.contract_agreement import ContractAgreement
from control_plane.domain.contract_definition import ContractDefinition
from control_plane.domain.contract_negotiation import ContractNegotiation, NegotiationState, NegotiationType
from control_plane.domain.data_plane_registration import CallerCredentials, DataPlaneRegistration
from control_plane.domain.inbox import InboxMessage
from control_plane.domain.placement import DestinationAccess, IfExists, Placement, PlacementPosition, PlacementStage
from control_plane.domain.policy import Policy, PolicyDefinition
from control_plane.domain.query import Criterion
from control_plane.domain.transfer_process import (
    ProvisionedResource,
    ResourcePhase,
    TransferError,
    TransferProcess,
    TransferProcessState,
    TransferProcessType,
)

NOW: Final = datetime(2026, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC)
USE: Final = Policy(permissions=({"action": "use"},))


def moment(seconds: float) -> datetime:
    """So many seconds after NOW."""
    return NOW + timedelta(seconds=seconds)


def transfer_process(process_id: str = "t-1", **changes: Any) -> TransferProcess:
    facts: dict[str, Any] = {
        "id": process_id,
        "participant_id": "did:web:us",
        "type": TransferProcessType.CONSUMER,
        "state_timestamp": NOW,
        "created_at": NOW,
        "updated_at": NOW,
        "counter_party_id": "did:web:them",
        "counter_party_address": "https://them.example/dsp",
        "protocol": "dataspace-protocol-http:2025-1",
        "asset_id": "asset-1",
        "contract_id": "contract-1",
        "transfer_type": "AzureStorage-PUSH",
        "data_destination": DataAddress("AzureStorage", {"account": "consumerorg"}),
    }
    return TransferProcess(**{**facts, **changes})


def negotiation(negotiation_id: str = "n-1", **changes: Any) -> ContractNegotiation:
    facts: dict[str, Any] = {
        "id": negotiation_id,
        "participant_id": "did:web:us",
        "type": NegotiationType.CONSUMER,
        "state_timestamp": NOW,
        "created_at": NOW,
        "updated_at": NOW,
        "counter_party_id": "did:web:them",
        "counter_party_address": "https://them.example/dsp",
        "protocol": "dataspace-protocol-http:2025-1",
        "offer_id": "offer-1",
        "asset_id": "asset-1",
        "policy": USE,
    }
    return ContractNegotiation(**{**facts, **changes})


def agreement(agreement_id: str = "a-1", **changes: Any) -> ContractAgreement:
    facts: dict[str, Any] = {
        "id": agreement_id,
        "participant_id": "did:web:us",
        "provider_id": "did:web:them",
        "consumer_id": "did:web:us",
        "asset_id": "asset-1",
        "policy": USE,
        "signed_at": NOW,
        "negotiation_id": "n-1",
    }
    return ContractAgreement(**{**facts, **changes})


def asset(asset_id: str = "asset-1", **changes: Any) -> Asset:
    facts: dict[str, Any] = {
        "id": asset_id,
        "participant_id": "did:web:us",
        "data_address": DataAddress("AzureStorage", {"container": "source", "keyName": "account-key"}),
        "created_at": NOW,
    }
    return Asset(**{**facts, **changes})


def policy_definition(definition_id: str = "p-1", **changes: Any) -> PolicyDefinition:
    facts: dict[str, Any] = {"id": definition_id, "participant_id": "did:web:us", "policy": USE, "created_at": NOW}
    return PolicyDefinition(**{**facts, **changes})


def contract_definition(definition_id: str = "c-1", **changes: Any) -> ContractDefinition:
    facts: dict[str, Any] = {
        "id": definition_id,
        "participant_id": "did:web:us",
        "access_policy_id": "access",
        "contract_policy_id": "contract",
        "created_at": NOW,
    }
    return ContractDefinition(**{**facts, **changes})


def data_plane_registration(data_plane_id: str = "plane-1", **changes: Any) -> DataPlaneRegistration:
    facts: dict[str, Any] = {
        "id": data_plane_id,
        "participant_id": "did:web:us",
        "endpoint": "https://plane.example/signaling",
        "transfer_types": ("HttpData-PULL",),
        "credentials": CallerCredentials(
            token_endpoint="https://idp.example/token",
            client_id="control-plane",
            secret_alias="alias-1",
            jwks={"keys": [{"kty": "EC", "kid": "1"}]},
        ),
        "registered_at": NOW,
    }
    return DataPlaneRegistration(**{**facts, **changes})


def message(message_id: str = "m-1", kind: str = "START", **changes: Any) -> InboxMessage:
    facts: dict[str, Any] = {"id": message_id, "kind": kind, "received_at": NOW, "payload": {"reason": "why"}}
    return InboxMessage(**{**facts, **changes})


# NUL and lone surrogates are no text for a database; the edges refuse them.
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
moments = st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
_scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | texts
documents = st.dictionaries(
    texts, st.recursive(_scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))
)
_counts = st.integers(1, 2**31 - 1)
_rules = st.lists(documents, max_size=2).map(tuple)
policies = st.builds(Policy, permissions=_rules, prohibitions=_rules, obligations=_rules, extra=documents)
addresses = st.builds(
    DataAddress, texts, st.dictionaries(texts.filter(lambda name: name.islower() and len(name) < 4), texts)
)
_maybe_moments = st.none() | moments
_maybe_texts = st.none() | texts
agreements = st.builds(
    ContractAgreement,
    id=texts,
    participant_id=texts,
    provider_id=texts,
    consumer_id=texts,
    asset_id=texts,
    policy=policies,
    signed_at=moments,
    negotiation_id=texts,
)
_stateful: Mapping[str, st.SearchStrategy[Any]] = {
    "id": texts,
    "participant_id": texts,
    "state_count": _counts,
    "state_timestamp": moments,
    "created_at": moments,
    "updated_at": moments,
    "counter_party_id": texts,
    "counter_party_address": texts,
    "protocol": texts,
    "correlation_id": _maybe_texts,
    "counter_party_claims": documents,
    "asset_id": texts,
    "request_fingerprint": texts,
    "message_id": _maybe_texts,
    "attempt": _counts,
    "next_attempt_at": _maybe_moments,
    "deadline_at": _maybe_moments,
}
transfer_processes = st.builds(
    TransferProcess,
    **_stateful,
    type=st.sampled_from(TransferProcessType),
    state=st.sampled_from(TransferProcessState),
    agreed_state=st.none() | st.sampled_from(TransferProcessState),
    contract_id=texts,
    transfer_type=texts,
    data_destination=addresses,
    managed_resources=st.booleans(),
    private_properties=documents,
    nonce=texts,
    resources=st.sampled_from(ResourcePhase),
    provisioned=st.none()
    | st.builds(
        ProvisionedResource,
        account=texts,
        container=texts,
        folder=texts,
        secret_alias=texts,
        sas_expires_at=_maybe_moments,
        access=st.sampled_from(DestinationAccess),
        placement=st.none()
        | st.builds(
            Placement,
            container=texts,
            if_exists=st.sampled_from(IfExists),
            position=st.none()
            | st.builds(
                PlacementPosition,
                stage=st.sampled_from(PlacementStage),
                continuation=_maybe_texts,
                in_page=_counts,
                bytes_placed=_counts,
            ),
        ),
    ),
    secret_alias=_maybe_texts,
    data_plane_id=_maybe_texts,
    data_flow_id=_maybe_texts,
    error=st.none() | st.builds(TransferError, code=texts, message=texts),
    progress=st.none() | st.builds(DataFlowProgress, bytes_copied=st.integers(0, 2**60)),
)
negotiations = st.builds(
    ContractNegotiation,
    **_stateful,
    type=st.sampled_from(NegotiationType),
    state=st.sampled_from(NegotiationState),
    previous_state=st.none() | st.sampled_from(NegotiationState),
    offer_id=texts,
    policy=policies,
    own_policy=st.none() | policies,
    pending=st.booleans(),
    agreement=st.none() | agreements,
    error_code=_maybe_texts,
    error_detail=_maybe_texts,
)
assets = st.builds(
    Asset,
    id=texts,
    participant_id=texts,
    properties=documents,
    private_properties=documents,
    data_address=addresses,
    created_at=moments,
)
policy_definitions = st.builds(
    PolicyDefinition, id=texts, participant_id=texts, policy=policies, private_properties=documents, created_at=moments
)
_criteria = st.builds(
    Criterion, operand_left=texts, operator=st.sampled_from(["=", "like", "<"]), operand_right=texts | st.booleans()
) | st.builds(Criterion, operand_left=texts, operator=st.just("in"), operand_right=st.lists(texts, max_size=3))
contract_definitions = st.builds(
    ContractDefinition,
    id=texts,
    participant_id=texts,
    access_policy_id=texts,
    contract_policy_id=texts,
    assets_selector=st.lists(_criteria, max_size=3).map(tuple),
    private_properties=documents,
    created_at=moments,
)
