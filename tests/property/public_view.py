"""What counterparties see of one participant, asked anew after each change, and checked against the protocol."""

from collections.abc import Sequence
from typing import Any, Final

import httpx

from control_plane.domain.contract_agreement import ContractAgreement
from control_plane.domain.contract_negotiation import ContractNegotiation
from control_plane.domain.inbox import InboxMessage
from control_plane.domain.participant import Counterparty
from control_plane.domain.transfer_process import TransferProcess
from control_plane.ports.counterparty_identity import CounterpartyIdentity
from tests.property.participant import ParticipantUnderTest
from tests.property.public_states import NEGOTIATION_MOVES, TRANSFER_MOVES, can_lead

Entity = ContractNegotiation | TransferProcess
_ENDED: Final = frozenset({"FINALIZED", "COMPLETED", "TERMINATED"})


class PublicView:
    """The witness of one participant's stores; stays when its control plane goes down.

    What is wrong is collected in `problems`, for whoever saves is code of the product, which survives exceptions.
    """

    def __init__(self, participant: ParticipantUnderTest, reader: CounterpartyIdentity) -> None:
        self.participant = participant
        self.problems: list[str] = []
        self.shown: dict[str, str] = {}
        """Public state by process id."""
        self.entities: dict[str, Entity] = {}
        """As last saved."""
        self.agreements: dict[str, ContractAgreement] = {}
        """By negotiation."""
        self.waiting: dict[str, dict[str, InboxMessage]] = {}
        """What is in the inboxes, by process id and message id."""
        self.story: list[str] = []
        """Every change of state, for whoever reads about a failure."""
        self._reader = reader

    async def saved(self, entity: Entity, applied: Sequence[InboxMessage]) -> None:
        waiting = self.waiting.setdefault(entity.id, {})
        for message in applied:
            waiting.pop(message.id, None)
        self.entities[entity.id] = entity
        if isinstance(entity, ContractNegotiation):
            self._check_agreement(entity)
        because = f"{', '.join(message.kind for message in applied)} applied" if applied else ""
        await self._look(entity, at_most=max(1, len(applied)), because=because)

    async def appended(self, entity_id: str, message: InboxMessage) -> None:
        self.waiting.setdefault(entity_id, {})[message.id] = message
        # An answer to a message under way acknowledges it too.
        await self._look(self.entities[entity_id], at_most=2, because=f"{message.kind} is noted")

    def negotiations(self) -> list[ContractNegotiation]:
        """Every negotiation, as last saved."""
        return [entity for entity in self.entities.values() if isinstance(entity, ContractNegotiation)]

    def transfers(self) -> list[TransferProcess]:
        """Every transfer process, as last saved."""
        return [entity for entity in self.entities.values() if isinstance(entity, TransferProcess)]

    def has_ended(self, entity_id: str) -> bool:
        """Whether the process shows an outcome."""
        return self.shown[entity_id] in _ENDED

    def _check_move(self, entity: Entity, state: str, *, at_most: int) -> None:
        moves = NEGOTIATION_MOVES if isinstance(entity, ContractNegotiation) else TRANSFER_MOVES
        before = self.shown.get(entity.id, "")
        if state not in moves:
            self._problem(entity, f"shows {state!r}, which is no state of the protocol")
        elif not can_lead(moves, before, state, at_most=at_most):
            self._problem(entity, f"moved from {before!r} to {state!r}")

    def _check_agreement(self, negotiation: ContractNegotiation) -> None:
        known = self.agreements.get(negotiation.id)
        if negotiation.agreement is None:
            return
        if known is not None and known != negotiation.agreement:
            self._problem(negotiation, f"has a second agreement: {known} and {negotiation.agreement}")
        self.agreements[negotiation.id] = negotiation.agreement

    def left_in_inboxes(self) -> list[str]:
        """Processes that have ended, and whose messages will never be applied."""
        return [
            f"{entity_id} has ended and keeps {sorted(self.waiting[entity_id])}"
            for entity_id in self.entities
            if self.has_ended(entity_id) and self.waiting.get(entity_id)
        ]

    async def _look(self, entity: Entity, *, at_most: int, because: str) -> None:
        state = await self._public_state(entity)
        self._check_move(entity, state, at_most=at_most)
        self.shown[entity.id] = state
        reason = entity.error_detail if isinstance(entity, ContractNegotiation) else entity.error
        who = f"{self.participant.id} {entity.id}"
        self.story.append(f"{who}: {entity.state.name} shown {state}, attempt {entity.attempt} {because} ({reason})")

    def _problem(self, entity: Entity, text: str) -> None:
        self.problems.append(f"{self.participant.id}: {type(entity).__name__} {entity.id} {text}")

    async def _public_state(self, entity: Entity) -> str:
        kind = "negotiations" if isinstance(entity, ContractNegotiation) else "transfers"
        url = f"{self.participant.address}/{kind}/{entity.id}"
        own = Counterparty(id=self.participant.id, address=self.participant.address)
        request = httpx.Request("GET", url, headers={"Authorization": await self._reader.authorization_for(own)})
        response = await self.participant.run.application.handle_async_request(request)
        body: dict[str, Any] = httpx.Response(response.status_code, content=await response.aread()).json()
        state = body.get("state")
        return state if isinstance(state, str) else f"status {response.status_code}"
