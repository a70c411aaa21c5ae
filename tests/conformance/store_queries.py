"""What the suites over queries share."""

from typing import Any

from control_plane.domain.query import Criterion, QuerySpec
from control_plane.domain.transfer_process import ResourcePhase, TransferError, TransferProcessState
from control_plane.ports.stores import Stores
from tests import control_plane_entities as examples
from tests.control_plane_entities import moment

NOW_MS = 1_772_366_400_123
"""NOW as clients see it."""


def where(left: str, operator: str, right: Any) -> QuerySpec:
    return QuerySpec(criteria=(Criterion(operand_left=left, operator=operator, operand_right=right),))


async def found(store: Any, query: QuerySpec) -> list[str]:
    return [entity.id for entity in await store.query(query)]


async def processes(stores: Stores) -> Any:
    """Three processes that differ in everything a client may ask for."""
    examples_of_all = [
        examples.transfer_process("one"),
        examples.transfer_process(
            "two",
            state=TransferProcessState.COMPLETED,
            resources=ResourcePhase.DEPROVISIONED,
            state_timestamp=moment(1),
            created_at=moment(1),
            updated_at=moment(1),
            correlation_id="theirs",
            asset_id="asset-2",
            contract_id="contract-2",
            counter_party_id="did:web:third",
            counter_party_address="https://third.example",
            transfer_type="HttpData-PULL",
            protocol="another",
            private_properties={"colour": "red"},
        ),
        examples.transfer_process(
            "three",
            state=TransferProcessState.TERMINATED,
            created_at=moment(2),
            error=TransferError(code="NoSpace", message="The disk is full."),
        ),
    ]
    for process in examples_of_all:
        await stores.transfer_processes.create(process, due_at=None)
    return stores.transfer_processes
