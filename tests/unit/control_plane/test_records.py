"""Entities come back from records exactly as they were, and no secret gets into one."""

import json
from typing import Any

import pytest
from hypothesis import given

from connector_spi.data_address import DataAddress
from connector_spi.errors import InvalidInputError
from control_plane.adapters.records import (
    AGREEMENT_CODEC,
    ASSET_CODEC,
    CONTRACT_DEFINITION_CODEC,
    NEGOTIATION_CODEC,
    POLICY_DEFINITION_CODEC,
    TRANSFER_PROCESS_CODEC,
    RecordCodec,
)
from control_plane.adapters.sql_tables import (
    AssetRow,
    ContractAgreementRow,
    ContractDefinitionRow,
    ContractNegotiationRow,
    PolicyDefinitionRow,
    TransferProcessRow,
    table_of,
)
from control_plane.domain.asset import Asset
from control_plane.domain.contract_agreement import ContractAgreement
from control_plane.domain.contract_definition import ContractDefinition
from control_plane.domain.contract_negotiation import ContractNegotiation
from control_plane.domain.policy import PolicyDefinition
from control_plane.domain.transfer_process import TransferProcess
from tests import control_plane_entities as examples

LEASE_COLUMNS = {"due_at", "waiting_since", "inbox_seq", "leased_seq", "lease_owner", "lease_epoch", "lease_until"}


def after_json(record: dict[str, Any]) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(json.dumps(record))
    return read


@given(examples.transfer_processes)
def test_a_transfer_process_comes_back_as_it_was(process: TransferProcess) -> None:
    assert TRANSFER_PROCESS_CODEC.from_record(after_json(TRANSFER_PROCESS_CODEC.to_record(process))) == process


@given(examples.negotiations)
def test_a_negotiation_comes_back_as_it_was(negotiation: ContractNegotiation) -> None:
    assert NEGOTIATION_CODEC.from_record(after_json(NEGOTIATION_CODEC.to_record(negotiation))) == negotiation


@given(examples.agreements)
def test_an_agreement_comes_back_as_it_was(agreement: ContractAgreement) -> None:
    assert AGREEMENT_CODEC.from_record(after_json(AGREEMENT_CODEC.to_record(agreement))) == agreement


@given(examples.assets)
def test_an_asset_comes_back_as_it_was(asset: Asset) -> None:
    assert ASSET_CODEC.from_record(after_json(ASSET_CODEC.to_record(asset))) == asset


@given(examples.policy_definitions)
def test_a_policy_definition_comes_back_as_it_was(definition: PolicyDefinition) -> None:
    assert POLICY_DEFINITION_CODEC.from_record(after_json(POLICY_DEFINITION_CODEC.to_record(definition))) == definition


@given(examples.contract_definitions)
def test_a_contract_definition_comes_back_as_it_was(definition: ContractDefinition) -> None:
    record = after_json(CONTRACT_DEFINITION_CODEC.to_record(definition))
    assert CONTRACT_DEFINITION_CODEC.from_record(record) == definition


@pytest.mark.parametrize(
    ("codec", "entity", "row"),
    [
        (TRANSFER_PROCESS_CODEC, examples.transfer_process(), TransferProcessRow),
        (NEGOTIATION_CODEC, examples.negotiation(), ContractNegotiationRow),
        (AGREEMENT_CODEC, examples.agreement(), ContractAgreementRow),
        (ASSET_CODEC, examples.asset(), AssetRow),
        (POLICY_DEFINITION_CODEC, examples.policy_definition(), PolicyDefinitionRow),
        (CONTRACT_DEFINITION_CODEC, examples.contract_definition(), ContractDefinitionRow),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
def test_every_cell_of_a_record_has_a_column_and_the_reverse(codec: RecordCodec[Any], entity: Any, row: Any) -> None:
    columns = {column.name for column in table_of(row).columns}
    assert set(codec.to_record(entity)) == columns - LEASE_COLUMNS
    assert {cell.column for cell in codec.query_fields.cells.values()} <= columns


def test_an_address_with_a_secret_is_refused_without_telling_it() -> None:
    leaking = examples.transfer_process(data_destination=DataAddress("AzureStorage", {"sasToken": "planted-secret"}))
    with pytest.raises(InvalidInputError, match="sasToken") as refused:
        TRANSFER_PROCESS_CODEC.to_record(leaking)
    assert "planted-secret" not in str(refused.value)
