"""Ids that counterparties choose, of messages and of processes: a repetition counts once, and nothing else is one."""

from collections import Counter
from typing import Any, Final

import pytest

from control_plane.domain.contract_negotiation import NegotiationState, NegotiationType
from control_plane.domain.query import QuerySpec
from control_plane.domain.transfer_process import TransferProcessState, TransferProcessType
from tests import control_plane_entities as examples
from tests.unit.control_plane.protocol_rig import (
    OTHERS,
    THEM,
    TRANSFER_TYPE,
    ProtocolRig,
    contract_request,
    told,
    transfer_request,
)

SAME: Final = {"@id": "urn:uuid:one"}


async def running(protocol: ProtocolRig) -> dict[str, str]:
    """Processes that each take a termination; by id, whose."""
    whose = {"t-1": THEM, "t-2": THEM, "t-3": OTHERS, "n-1": THEM, "n-2": THEM, "n-3": OTHERS}
    for name, peer in whose.items():
        # Ids of the other side may well be the same for two counterparties, too.
        known: dict[str, Any] = {"counter_party_id": peer, "correlation_id": f"theirs-{name.replace('3', '1')}"}
        if name.startswith("t"):
            process = examples.transfer_process(
                name, type=TransferProcessType.PROVIDER, state=TransferProcessState.STARTED, **known
            )
            await protocol.stores.transfer_processes.create(process, due_at=None)
        else:
            negotiation = examples.negotiation(
                name, type=NegotiationType.PROVIDER, state=NegotiationState.OFFERED, **known
            )
            await protocol.stores.contract_negotiations.create(negotiation, due_at=None)
    return whose


async def noted(protocol: ProtocolRig) -> Counter[str]:
    """How many messages wait for each process."""
    far = examples.moment(1e9)
    stores = (protocol.stores.transfer_processes, protocol.stores.contract_negotiations)
    leased = [found for s in stores for found in await s.lease_due(now=far, limit=99, lease_seconds=60, owner="test")]
    return Counter({found.entity.id: len(found.inbox) for found in leased})


async def terminate(protocol: ProtocolRig, name: str, sender: str) -> int:
    kind, message = (
        ("transfers", "TransferTerminationMessage")
        if name.startswith("t")
        else ("negotiations", "ContractNegotiationTerminationMessage")
    )
    body = told(message, f"theirs-{name.replace('3', '1')}", name, **SAME)
    return (await protocol.call("POST", f"{kind}/{name}/termination", json=body, sender=sender)).status_code


async def test_one_message_id_reaches_every_process_once(protocol: ProtocolRig) -> None:
    whose = await running(protocol)
    for _ in range(2):
        for name, peer in whose.items():
            assert await terminate(protocol, name, peer) == 200
    assert await noted(protocol) == Counter(dict.fromkeys(whose, 1))


async def test_one_message_id_of_two_kinds_of_messages_is_two_messages(protocol: ProtocolRig) -> None:
    await running(protocol)
    for kind, name in (("TransferSuspensionMessage", "suspension"), ("TransferTerminationMessage", "termination")):
        body = told(kind, "theirs-t-1", "t-1", **SAME)
        assert (await protocol.call("POST", f"transfers/t-1/{name}", json=body)).status_code == 200
    assert (await noted(protocol))["t-1"] == 2


async def test_nobody_uses_up_an_id_for_another(protocol: ProtocolRig) -> None:
    """A stranger to the process posts first, under the id that its owner is going to use."""
    await running(protocol)
    for name in ("t-1", "n-1"):
        assert await terminate(protocol, name, OTHERS) == 404
        assert await terminate(protocol, name, THEM) == 200
    assert await noted(protocol) == Counter({"t-1": 1, "n-1": 1})


@pytest.mark.parametrize("kind", ["negotiations", "transfers"])
async def test_process_ids_of_two_counterparties_may_be_the_same(protocol: ProtocolRig, kind: str) -> None:
    await protocol.offered()
    await protocol.agreed("a-1", consumer=THEM)
    await protocol.agreed("a-2", consumer=OTHERS)
    own: dict[str, str] = {}
    for sender, agreement in ((THEM, "a-1"), (OTHERS, "a-2")):
        body = contract_request(**SAME) if kind == "negotiations" else transfer_request(**SAME, agreementId=agreement)
        answers = [await protocol.call("POST", f"{kind}/request", json=body, sender=sender) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 201]
        [own[sender]] = {answer.json()["providerPid"] for answer in answers}
    assert own[THEM] != own[OTHERS]


@pytest.mark.parametrize("kind", ["negotiations", "transfers"])
async def test_a_request_is_never_answered_with_a_process_in_which_we_are_the_consumer(
    protocol: ProtocolRig, kind: str
) -> None:
    """Their id of a process that we began is no id for one that they begin."""
    await protocol.offered()
    await protocol.agreed()
    known: dict[str, Any] = {"counter_party_id": THEM, "correlation_id": "consumer-pid"}
    body = contract_request() if kind == "negotiations" else transfer_request()
    if kind == "negotiations":
        await protocol.stores.contract_negotiations.create(examples.negotiation("own-process", **known), due_at=None)
    else:
        process = examples.transfer_process("own-process", contract_id="a-1", transfer_type=TRANSFER_TYPE, **known)
        await protocol.stores.transfer_processes.create(process, due_at=None)
    answer = await protocol.call("POST", f"{kind}/request", json=body)
    assert (answer.status_code, "own-process" in answer.text) == (400, False)
    if kind == "negotiations":
        assert len(await protocol.stores.contract_negotiations.query(QuerySpec())) == 2
