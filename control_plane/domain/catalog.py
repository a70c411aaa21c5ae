"""The catalog in pages: what is asked for, what is looked up, and what is found.

Its order is that of creation, then of ids. A page begins beyond a position and not after a number of assets: what is
created or deleted between two pages moves nothing, and the database never counts rows that it does not show.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from connector_spi.errors import InvalidInputError
from control_plane.domain.asset import Asset
from control_plane.domain.contract_definition import ContractOffer
from control_plane.domain.query import Criterion

PAGE_MAX: Final = 5_000
"""More datasets than this are never in one answer, whatever is asked for."""
VALUES_MAX: Final = 500
"""More values than these are not looked for at once: they come from outsiders, and each is work for the database."""


@dataclass(frozen=True, slots=True)
class CatalogPosition:
    """A place in the order, at an asset that was there; it keeps its meaning when the asset is gone."""

    created_at: datetime
    asset_id: str

    @classmethod
    def of(cls, asset: Asset) -> "CatalogPosition":
        """Where this asset stands."""
        return cls(asset.created_at, asset.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogQuery:
    """One page of the catalog. `criteria` are over the public properties of assets, and all must hold."""

    limit: int
    criteria: tuple[Criterion, ...] = ()
    descending: bool = False
    offset: int = 0
    """How many matching datasets to pass over."""
    beyond: CatalogPosition | None = None
    """Begin after this position; with `backwards`, end before it."""
    backwards: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= PAGE_MAX:
            raise InvalidInputError(field="limit", value=self.limit, problem=f"must be 1 to {PAGE_MAX}")
        if self.offset < 0:
            raise InvalidInputError(field="offset", value=self.offset, problem="must be 0 or more")
        operands = [criterion.operand_right for criterion in self.criteria]
        values = sum(len(operand) for operand in operands if isinstance(operand, list))
        if values > VALUES_MAX:
            raise InvalidInputError(field="filter", value=values, problem=f"may hold {VALUES_MAX} values in lists")

    def after(self, asset: Asset) -> "CatalogQuery":
        """The page that follows this asset."""
        return replace(self, offset=0, beyond=CatalogPosition.of(asset), backwards=False)

    def before(self, asset: Asset) -> "CatalogQuery":
        """The page that ends before this asset."""
        return replace(self, offset=0, beyond=CatalogPosition.of(asset), backwards=True)


@dataclass(frozen=True, slots=True)
class Dataset:
    """An asset and every offer of it: one for each contract definition that selects it and may be seen."""

    asset: Asset
    offers: tuple[ContractOffer, ...]


@dataclass(frozen=True, slots=True)
class CatalogPage:
    """Datasets in order, and how to ask for what lies before and after them, where there may be something."""

    datasets: tuple[Dataset, ...] = ()
    previous: CatalogQuery | None = None
    next: CatalogQuery | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetSelection:
    """Assets that at least one selector selects. A selector's criteria must all hold; none means every asset."""

    selectors: tuple[tuple[Criterion, ...], ...]
    narrowed_by: tuple[Criterion, ...] = ()
    """Must hold too. They come from outsiders and see the id and the public properties only."""
    beyond: CatalogPosition | None = None
    """Only assets that come after this position in the order asked for."""
    descending: bool = False
    offset: int = 0
    limit: int


@dataclass(frozen=True, slots=True)
class SelectedAsset:
    """An asset, and the indexes of the selectors that select it, ascending."""

    asset: Asset
    selectors: tuple[int, ...]
