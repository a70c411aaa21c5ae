"""The catalog's receiving side over any stores, called in this process by two counterparties."""

from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from connector_spi.clock import SystemClock
from control_plane.adapters.memory_stores import memory_stores
from control_plane.domain.participant import Counterparty
from control_plane.domain.policy import Policy
from control_plane.domain.policy_context import PolicyContext
from control_plane.dsp_messages import CONTEXT
from control_plane.ports.stores import Stores
from control_plane.protocol_api.app import create_protocol_app
from control_plane.protocol_api.catalog import CatalogEndpoints
from control_plane.protocol_api.exchange import Exchange
from control_plane.services.catalog_service import CatalogService
from control_plane.services.policy_engine import PolicyEngine
from tests import control_plane_entities as examples
from tests.fakes import FakeCounterparty, FakeDataPlane
from tests.unit.control_plane.keys import identity

US: Final = "did:web:us"
THEM: Final = "did:web:them"
OTHERS: Final = "did:web:others"
BASE: Final = "https://us.example/2025-1"
EDC: Final = "https://w3id.org/edc/v0.0.1/ns/"
USE: Final = Policy(permissions=({"action": "use"},))


def only_for(participant_id: str) -> Policy:
    """A policy whose use is that one's alone, as the engine of these tests reads it."""
    return Policy(permissions=({"action": "use"},), extra={"onlyFor": participant_id})


class CountingEngine(PolicyEngine):
    """Knows `only_for`, and counts."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[PolicyContext] = []

    async def denial(self, policy: Policy, context: PolicyContext) -> str | None:
        self.asked.append(context)
        meant_for = policy.extra.get("onlyFor", context.counterparty.id)
        return None if meant_for == context.counterparty.id else "not for you"


@dataclass
class CatalogRig:
    """We are asked; answers are those that counterparties get."""

    stores: Stores = field(default_factory=memory_stores)
    page_size: int = 500

    def __post_init__(self) -> None:
        self.engine = CountingEngine()
        self.data_plane = FakeDataPlane()
        self.service = CatalogService(self.stores, FakeCounterparty(), self.engine, SystemClock())
        endpoints = CatalogEndpoints(
            Exchange(identity(US, knows=(THEM, OTHERS))),
            self.service,
            participant_id=US,
            base_url=BASE,
            transfer_types=self.data_plane.transfer_types,
            page_size=self.page_size,
        )
        self.app = create_protocol_app(endpoints.router())

    async def call(self, method: str, url: str, *, sender: str = THEM, json: Any = None) -> httpx.Response:
        """One call with a fresh token; a path is below the base address."""
        header = await identity(sender).authorization_for(Counterparty(id=US, address=BASE))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=BASE) as client:
            return await client.request(method, url, json=json, headers={"Authorization": header})

    async def ask(self, *filters: Any, url: str = "catalog/request", sender: str = THEM) -> httpx.Response:
        """A CatalogRequestMessage, with this filter."""
        return await self.call("POST", url, sender=sender, json=request(*filters))

    async def pages(self, *filters: Any, sender: str = THEM) -> list[list[str]]:
        """The dataset ids of each page, from the first on, as the links lead."""
        found, url = [], "catalog/request"
        while url:
            answer = await self.ask(*filters, url=url, sender=sender)
            assert answer.status_code == 200, answer.text
            found.append(ids_of(answer))
            url = link(answer, "next")
        return found

    async def define(self, definition_id: str, *, access: Policy = USE, contract: Policy = USE, **changes: Any) -> None:
        """A contract definition with policies of its own."""
        names = {"access_policy_id": f"{definition_id}-access", "contract_policy_id": f"{definition_id}-contract"}
        for policy_id, policy in zip(names.values(), (access, contract), strict=True):
            await self.stores.policy_definitions.create(examples.policy_definition(policy_id, policy=policy))
        definition = examples.contract_definition(definition_id, **{**names, **changes})
        await self.stores.contract_definitions.create(definition)

    async def assets(self, count: int, **changes: Any) -> None:
        """`a-0`, `a-1`, ... each a second younger than the one before it."""
        for number in range(count):
            asset = examples.asset(f"a-{number}", created_at=examples.moment(number), **changes)
            await self.stores.assets.create(asset)


def request(*filters: Any) -> dict[str, Any]:
    """The message; without a filter, where none is given."""
    message = {"@context": [CONTEXT], "@type": "CatalogRequestMessage"}
    return {**message, "filter": list(filters)} if filters else message


def ids_of(answer: httpx.Response) -> list[str]:
    """The datasets of a catalog."""
    return [dataset["@id"] for dataset in answer.json().get("dataset", [])]


def link(answer: httpx.Response, relation: str) -> str:
    """Where a link of the answer leads; empty when there is none."""
    return str(answer.links.get(relation, {}).get("url", ""))
