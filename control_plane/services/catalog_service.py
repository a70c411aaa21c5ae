"""The catalog: what this participant offers, and what counterparties offer to it."""

from collections.abc import Sequence
from typing import Any, Final

from connector_spi.clock import Clock
from control_plane.domain.catalog import AssetSelection, CatalogPage, CatalogQuery, Dataset, SelectedAsset
from control_plane.domain.contract_definition import ContractOffer, OfferId
from control_plane.domain.participant import Counterparty, Participant
from control_plane.domain.query import Criterion, QuerySpec
from control_plane.ports.dataspace_client import CatalogAnswer, DataspaceClient
from control_plane.ports.stores import Stores
from control_plane.services.policy_engine import PolicyEngine
from control_plane.services.visible_definitions import VisibleDefinition, VisibleDefinitions

_PAGES_MAX: Final = 20
_BYTES_MAX: Final = 16 * 1024 * 1024
"""Where joining of a counterparty's pages ends; the client is told where it can go on."""


class CatalogService:
    """Makes offers from contract definitions, and asks others for theirs."""

    def __init__(self, stores: Stores, client: DataspaceClient, policies: PolicyEngine, clock: Clock) -> None:
        self._assets = stores.assets
        self._client = client
        self._definitions = VisibleDefinitions(stores, policies, clock)

    async def request_catalog(
        self, counterparty: Counterparty, query: QuerySpec | None = None, continuation: str | None = None
    ) -> CatalogAnswer:
        """The counterparty's catalog, its JSON as it came: a page, or as many as it takes to reach the query's limit.

        Fewer datasets than the limit are no sign of the end; `next` is. It continues after the last dataset.

        Raises:
            PeerUnavailableError, PeerRefusedError, ForbiddenAddressError: as for DataspaceClient.
        """
        answer = await self._client.request_catalog(counterparty, query, continuation)
        for _ in range(_PAGES_MAX - 1):
            if query is None or answer.next is None or len(_datasets(answer)) >= query.limit:
                break
            if answer.size > _BYTES_MAX:
                break
            answer = _joined(answer, await self._client.request_catalog(counterparty, query, answer.next))
        return answer if query is None else _cut(answer, query.limit)

    async def request_dataset(self, counterparty: Counterparty, dataset_id: str) -> dict[str, Any]:
        """One dataset of the counterparty's catalog, its JSON as it came.

        Raises:
            PeerUnavailableError, PeerRefusedError, ForbiddenAddressError: as for DataspaceClient.
        """
        return await self._client.request_dataset(counterparty, dataset_id)

    async def page(self, caller: Participant, query: CatalogQuery) -> CatalogPage:
        """What this participant offers to the caller: one page of datasets, each with all its offers.

        Raises:
            InvalidInputError: a criterion's operand does not suit its operator.
            TransientError: a policy could not be evaluated now.
        """
        visible = await self._definitions.of(caller)
        found = await self._assets.select(
            AssetSelection(
                selectors=_selectors(visible),
                narrowed_by=query.criteria,
                beyond=query.beyond,
                descending=query.descending is not query.backwards,
                offset=query.offset,
                limit=query.limit + 1,
            )
        )
        more = len(found) > query.limit
        datasets = [_dataset(selected, visible) for selected in found[: query.limit]]
        return _page(query, datasets[::-1] if query.backwards else datasets, more=more)

    async def dataset(self, caller: Participant, asset_id: str) -> Dataset | None:
        """One dataset with its offers, or None when the asset is not offered to the caller.

        Raises:
            TransientError: a policy could not be evaluated now.
        """
        return await self._offered(asset_id, await self._definitions.of(caller))

    async def find_offer(self, caller: Participant, offer_id: OfferId) -> ContractOffer | None:
        """The offer with this id as it stands now, or None when it is not offered to the caller (any more).

        Raises:
            TransientError: a policy could not be evaluated now.
        """
        visible = await self._definitions.find(offer_id.definition_id, caller)
        dataset = await self._offered(offer_id.asset_id, [visible]) if visible else None
        return dataset.offers[0] if dataset else None

    async def _offered(self, asset_id: str, visible: Sequence[VisibleDefinition]) -> Dataset | None:
        named = Criterion(operand_left="id", operator="=", operand_right=asset_id)
        selection = AssetSelection(selectors=_selectors(visible), narrowed_by=(named,), limit=1)
        found = await self._assets.select(selection)
        return _dataset(found[0], visible) if found else None


def _datasets(answer: CatalogAnswer) -> list[Any]:
    found = answer.body.get("dataset")
    return found if isinstance(found, list) else [] if found is None else [found]


def _joined(first: CatalogAnswer, second: CatalogAnswer) -> CatalogAnswer:
    """One catalog of two pages; everything but the datasets is that of the first."""
    together = [*_datasets(first), *_datasets(second)]
    body = {**first.body, "dataset": together} if together else first.body
    return CatalogAnswer(body, first.size + second.size, second.next)


def _cut(answer: CatalogAnswer, limit: int) -> CatalogAnswer:
    """No more datasets than were asked for. Then there is nowhere to go on but at an offset."""
    if len(_datasets(answer)) <= limit:
        return answer
    return CatalogAnswer({**answer.body, "dataset": _datasets(answer)[:limit]}, answer.size)


def _selectors(visible: Sequence[VisibleDefinition]) -> tuple[tuple[Criterion, ...], ...]:
    return tuple(each.definition.assets_selector for each in visible)


def _dataset(selected: SelectedAsset, visible: Sequence[VisibleDefinition]) -> Dataset:
    asset = selected.asset
    offers = (visible[number] for number in selected.selectors)
    return Dataset(
        asset,
        tuple(
            ContractOffer(
                id=OfferId(definition_id=each.definition.id, asset_id=asset.id), asset=asset, policy=each.policy
            )
            for each in offers
        ),
    )


def _page(query: CatalogQuery, datasets: list[Dataset], *, more: bool) -> CatalogPage:
    """`more`: whether there are more datasets in the direction of the query."""
    if not datasets:
        return CatalogPage()
    before, after = query.before(datasets[0].asset), query.after(datasets[-1].asset)
    if query.backwards:
        return CatalogPage(tuple(datasets), previous=before if more else None, next=after)
    begins_later = query.beyond is not None or query.offset > 0
    return CatalogPage(tuple(datasets), previous=before if begins_later else None, next=after if more else None)
