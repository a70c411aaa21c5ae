"""What the stores of transfer processes and of negotiations promise beyond what they have in common."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings

from connector_spi.errors import ConflictError, InvalidInputError
from connector_spi.signaling import DataFlowProgress
from control_plane.domain.contract_negotiation import ContractNegotiation, NegotiationState, NegotiationType
from control_plane.domain.query import QuerySpec
from control_plane.domain.transfer_process import TransferProcess
from control_plane.ports.stores import Stores
from tests import control_plane_entities as examples
from tests.conformance.stateful_subject import lease
from tests.control_plane_entities import NOW


class TestTransferProcesses:
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(process=examples.transfer_processes)
    async def test_any_process_comes_back_as_it_was(self, stores: Stores, process: TransferProcess) -> None:
        process = under_new_ids(process)
        await stores.transfer_processes.create(process, due_at=None)
        assert await stores.transfer_processes.find(process.id) == process

    async def test_progress_is_noted_whoever_holds_the_lease_and_survives_the_save(self, stores: Stores) -> None:
        store = stores.transfer_processes
        await store.create(examples.transfer_process("one"), due_at=NOW)
        [leased] = await lease(store)
        progress = DataFlowProgress(bytes_copied=7, bytes_total=9, bytes_per_second=1.5)
        await store.record_progress("one", progress)
        await store.save(replace(leased.entity, attempt=1), epoch=leased.epoch, applied=(), due_at=None)
        assert await store.find("one") == replace(leased.entity, attempt=1, progress=progress)

    async def test_progress_of_an_unknown_process_is_passed_over(self, stores: Stores) -> None:
        await stores.transfer_processes.record_progress("absent", DataFlowProgress())
        assert await stores.transfer_processes.query(QuerySpec()) == []


class TestNegotiations:
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(negotiation=examples.negotiations)
    async def test_any_negotiation_comes_back_as_it_was(self, stores: Stores, negotiation: ContractNegotiation) -> None:
        negotiation = replace(under_new_ids(negotiation), state=NegotiationState.REQUESTED)
        await stores.contract_negotiations.create(negotiation, due_at=None)
        assert await stores.contract_negotiations.find(negotiation.id) == negotiation

    @pytest.mark.parametrize(
        ("side", "hidden", "shown"),
        [
            (NegotiationType.CONSUMER, NegotiationState.VERIFIED, NegotiationState.FINALIZED),
            (NegotiationType.PROVIDER, NegotiationState.VERIFIED, NegotiationState.FINALIZING),
        ],
    )
    async def test_an_agreement_is_visible_once_it_binds_this_side(
        self, stores: Stores, side: NegotiationType, hidden: NegotiationState, shown: NegotiationState
    ) -> None:
        store = stores.contract_negotiations
        agreement = examples.agreement("agreed", negotiation_id="one")
        await store.create(examples.negotiation("one", type=side), due_at=NOW)
        for state in (hidden, shown):
            assert await store.find_agreement("agreed") is None
            assert await store.query_agreements(QuerySpec()) == []
            [leased] = await lease(store)
            changed = replace(leased.entity, agreement=agreement, state=state)
            await store.save(changed, epoch=leased.epoch, applied=(), due_at=NOW)
        assert await store.find_agreement("agreed") == agreement
        assert await store.query_agreements(QuerySpec()) == [agreement]

    async def test_an_agreement_that_the_consumer_did_not_want_binds_nobody(self, stores: Stores) -> None:
        store = stores.contract_negotiations
        agreement = examples.agreement("agreed", negotiation_id="one")
        await store.create(finalized("other", "of-another"), due_at=None)
        await store.create(
            examples.negotiation(
                "one",
                type=NegotiationType.PROVIDER,
                state=NegotiationState.FINALIZING,
                correlation_id="theirs",
                agreement=agreement,
            ),
            due_at=NOW,
        )
        assert await store.find_agreement("agreed") == agreement
        [leased] = await store.lease_due(now=NOW, limit=9, lease_seconds=60, owner="w")
        ended = replace(leased.entity, state=NegotiationState.TERMINATED)
        await store.save(ended, epoch=leased.epoch, applied=(), due_at=None)
        assert await store.find_agreement("agreed") is None
        assert await store.find_agreement("of-another") is not None

    async def test_a_save_after_the_agreement_was_published_is_no_conflict(self, stores: Stores) -> None:
        store = stores.contract_negotiations
        await store.create(finalized("one", "agreed"), due_at=NOW)
        [leased] = await lease(store)
        await store.save(replace(leased.entity, attempt=1), epoch=leased.epoch, applied=(), due_at=None)
        assert await store.query_agreements(QuerySpec()) == [leased.entity.agreement]

    async def test_nobody_takes_over_the_agreement_of_another_negotiation(self, stores: Stores) -> None:
        store = stores.contract_negotiations
        await store.create(finalized("one", "agreed"), due_at=None)
        with pytest.raises(ConflictError):
            await store.create(finalized("two", "agreed"), due_at=None)
        await store.create(examples.negotiation("three"), due_at=NOW)
        [leased] = await lease(store)
        with pytest.raises(ConflictError):
            await store.save(finalized("three", "agreed"), epoch=leased.epoch, applied=(), due_at=None)
        found = await store.find_agreement("agreed")
        assert found is not None
        assert found.negotiation_id == "one"
        assert await store.find("two") is None
        assert await store.find("three") == examples.negotiation("three")

    async def test_an_unknown_field_of_an_agreement_is_named(self, stores: Stores) -> None:
        with pytest.raises(InvalidInputError, match="sortField"):
            await stores.contract_negotiations.query_agreements(QuerySpec(sort_field="nothing"))


def under_new_ids(entity: Any) -> Any:
    """The entity under ids that no earlier example has."""
    correlation_id = None if entity.correlation_id is None else f"{entity.correlation_id}/{uuid4()}"
    return replace(entity, id=f"{entity.id}/{uuid4()}", correlation_id=correlation_id)


def finalized(negotiation_id: str, agreement_id: str) -> ContractNegotiation:
    agreement = examples.agreement(agreement_id, negotiation_id=negotiation_id)
    return examples.negotiation(negotiation_id, state=NegotiationState.FINALIZED, agreement=agreement)
