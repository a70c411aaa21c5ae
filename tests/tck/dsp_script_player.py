"""Plays the scripts of `dsp_scripts`: gives the connector under test the command that is next for each process."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from connector_spi.errors import ConflictError, InvalidTransitionError
from control_plane.bootstrap import ControlPlane
from control_plane.domain.contract_negotiation import ContractNegotiation
from control_plane.domain.query import QuerySpec
from control_plane.domain.transfer_process import TransferProcess
from tests.tck.dsp_scripts import NEGOTIATIONS, TRANSFERS, NegotiationScript, TransferScript, dataset_or_agreement_of

_AFTER: Final = timedelta(milliseconds=500)
"""How long a state lasts before we react. The kit notes a state only after our answer, begins to listen for our next
message later still, and looks at the state every 100 ms."""
_LOOK_SECONDS: Final = 0.05
_NEWEST: Final = QuerySpec(limit=20, descending=True)
"""The kit runs one test at a time: older processes have come to their end."""


class Waits:
    """A PendingGuard that lets the connector decide nothing by itself."""

    def holds(self, _entity: object, /) -> bool:
        return True


class ScriptPlayer:
    """Follows negotiations and transfers, each along the script of its test."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self._negotiations = {dataset_or_agreement_of(test): script for test, script in NEGOTIATIONS.items()}
        self._transfers = {dataset_or_agreement_of(test): script for test, script in TRANSFERS.items()}
        self._progress: dict[str, tuple[int, datetime]] = {}
        """Process id -> how many reactions are done, and when the state was entered that caused the last one."""

    async def play(self) -> None:
        """Until it is cancelled."""
        while True:
            for negotiation in await self._plane.negotiations.query(_NEWEST):
                await self._react(negotiation, self._negotiations.get(negotiation.asset_id, ()))
            for process in await self._plane.transfers.query(_NEWEST):
                await self._react(process, self._transfers.get(process.contract_id, ()))
            await asyncio.sleep(_LOOK_SECONDS)

    async def _react(
        self, entity: ContractNegotiation | TransferProcess, script: NegotiationScript | TransferScript
    ) -> None:
        done, last = self._progress.get(entity.id, (0, None))
        if done == len(script) or entity.state is not script[done][0] or entity.state_timestamp == last:
            return
        if datetime.now(UTC) < entity.state_timestamp + _AFTER:
            return
        # Refused while a message is on its way: looked at again in a moment.
        with suppress(ConflictError, InvalidTransitionError):
            await script[done][1](self._plane, entity.id)
            self._progress[entity.id] = (done + 1, entity.state_timestamp)
