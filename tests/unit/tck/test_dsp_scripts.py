"""Each test of the kit of the Dataspace Protocol has its script, and each script names states that its side knows."""

from collections import Counter

import pytest

from control_plane.domain.contract_negotiation import NEGOTIATION_MACHINES, NegotiationType
from control_plane.domain.transfer_process import TransferProcessType
from control_plane.domain.transfer_state_machine import MACHINES
from tests.tck.dsp_report import DEMANDED
from tests.tck.dsp_scripts import DATASETS, NEGOTIATIONS, TRANSFERS, dataset_or_agreement_of, method_of

SCRIPTED = [*DATASETS, *NEGOTIATIONS, *TRANSFERS]


def test_as_many_tests_have_a_script_as_we_demand() -> None:
    scripted = Counter(test.partition(":")[0] for test in SCRIPTED)
    assert {**scripted, "MET": 1} == DEMANDED


def test_no_two_tests_are_known_by_the_same_dataset_or_agreement() -> None:
    known_by = [dataset_or_agreement_of(test) for test in (*NEGOTIATIONS, *TRANSFERS)]
    assert len(set(known_by)) == len(known_by)


@pytest.mark.parametrize(
    ("test", "known_by", "method"),
    [("CN:01-02", "ACN0102", "CN_01_02"), ("TP_C:03-06", "ATPC0306", "TP_C_03_06")],
)
def test_a_test_is_known_by_what_the_kit_calls_its_examples(test: str, known_by: str, method: str) -> None:
    assert (dataset_or_agreement_of(test), method_of(test)) == (known_by, method)


@pytest.mark.parametrize("test", NEGOTIATIONS)
def test_a_negotiation_reacts_in_states_that_its_side_has(test: str) -> None:
    side = NegotiationType.CONSUMER if test.startswith("CN_C") else NegotiationType.PROVIDER
    assert {state for state, _ in NEGOTIATIONS[test]} <= {source for source, _ in NEGOTIATION_MACHINES[side].moves}


@pytest.mark.parametrize("test", TRANSFERS)
def test_a_transfer_reacts_in_states_that_its_side_has(test: str) -> None:
    side = TransferProcessType.CONSUMER if test.startswith("TP_C") else TransferProcessType.PROVIDER
    assert {state for state, _ in TRANSFERS[test]} <= {source for source, _ in MACHINES[side].moves}
