"""How long the same message again gets the same answer."""

import asyncio
from datetime import timedelta

from connector_spi.signaling import DataFlowState
from data_plane.adapters.memory_data_flow_store import MemoryDataFlowStore
from data_plane.ports.data_flow_store import Answer
from data_plane.services.answer_retention import AnswerRetention
from tests.eventually import eventually
from tests.unit.data_plane.fakes import ManualClock, a_data_flow


async def test_the_answers_of_a_flow_are_forgotten_a_while_after_its_outcome() -> None:
    clock = ManualClock()
    store = MemoryDataFlowStore(clock)
    for flow_id, hours_ago in (("old", 25), ("new", 23)):
        flow = a_data_flow(flow_id, state=DataFlowState.COMPLETED, updated_at=clock.now() - timedelta(hours=hours_ago))
        await store.add(flow, Answer("m", f"start:{flow_id}", {}))

    async def forgotten() -> bool:
        return await store.find_answer("m", "start:old") is None

    async with asyncio.TaskGroup() as group:
        loop = group.create_task(AnswerRetention(store, clock, timedelta(days=1)).run())
        await eventually(forgotten, seconds=5)
        loop.cancel()
    assert await store.find_answer("m", "start:new") is not None
