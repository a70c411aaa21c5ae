"""Catalogs of counterparties over HTTP."""

from typing import Any

import httpx
import pytest

from connector_spi.errors import ForbiddenAddressError, PeerRefusedError, PeerUnavailableError
from control_plane.domain.query import Criterion, QuerySpec
from tests.unit.management_api.fakes import ControlPlaneOfTests

PROVIDER = {"counterPartyId": "provider", "counterPartyAddress": "https://provider.example/2025-1"}


async def test_the_catalog_is_passed_on_as_it_came(api: httpx.AsyncClient, plane: ControlPlaneOfTests) -> None:
    plane.catalog.answer = {"@context": ["x"], "@type": "Catalog", "dataset": [{"@id": "ä"}], "odd": None}
    answer = await api.post("/v3/catalog/request", json={**PROVIDER, "querySpec": {"limit": 5}})
    assert (answer.status_code, answer.json()) == (200, plane.catalog.answer)
    [(counterparty, asked)] = plane.catalog.asked
    assert (counterparty.id, counterparty.address) == ("provider", "https://provider.example/2025-1")
    assert asked == (QuerySpec(limit=5), None)
    assert "link" not in answer.headers


async def test_one_dataset_is_asked_for_by_its_id(api: httpx.AsyncClient, plane: ControlPlaneOfTests) -> None:
    answer = await api.post("/v3/catalog/dataset/request", json={**PROVIDER, "@id": "asset-1"})
    assert answer.status_code == 200
    assert plane.catalog.asked[0][1] == "asset-1"


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (PeerUnavailableError("The counterparty did not answer."), 502, "BadGateway"),
        (PeerRefusedError("The counterparty refused.", status=403), 502, "BadGateway"),
        (ForbiddenAddressError("The host is not allowed."), 400, "InvalidRequest"),
    ],
)
async def test_a_counterparty_that_does_not_answer_is_told_as_such(
    api: httpx.AsyncClient, plane: ControlPlaneOfTests, error: Any, status: int, kind: str
) -> None:
    plane.catalog.answer = error
    answer = await api.post("/v3/catalog/request", json=PROVIDER)
    assert answer.status_code == status
    assert answer.json() == [{"message": error.message, "type": kind, "code": error.code, "remedy": error.remedy}]


async def test_a_query_goes_to_the_counterparty(api: httpx.AsyncClient, plane: ControlPlaneOfTests) -> None:
    criterion = {"operandLeft": "colour", "operator": "=", "operandRight": "red"}
    spec = {"offset": 5, "limit": 9, "sortOrder": "DESC", "sortField": "createdAt", "filterExpression": [criterion]}
    answer = await api.post("/v3/catalog/request", json={**PROVIDER, "querySpec": spec})
    assert answer.status_code == 200, answer.text
    red = Criterion(operand_left="colour", operator="=", operand_right="red")
    query = QuerySpec(offset=5, limit=9, descending=True, sort_field="createdAt", criteria=(red,))
    assert plane.catalog.asked[0][1] == (query, None)


@pytest.mark.parametrize("spec", [{"limit": 0}, {"filterExpression": [{"operandLeft": "a", "operator": "~"}]}])
async def test_a_query_that_makes_no_sense_is_sent_to_nobody(
    api: httpx.AsyncClient, plane: ControlPlaneOfTests, spec: dict[str, Any]
) -> None:
    assert (await api.post("/v3/catalog/request", json={**PROVIDER, "querySpec": spec})).status_code == 400
    assert plane.catalog.asked == []


async def test_where_the_catalog_goes_on_is_told_in_a_link(api: httpx.AsyncClient, plane: ControlPlaneOfTests) -> None:
    plane.catalog.next_page = "catalog/request?token=a%2Fb&x=1"
    first = await api.post("/v3/catalog/request", json=PROVIDER)
    second = await api.post(f"/v3/catalog/request{first.links['next']['url']}", json=PROVIDER)
    assert (first.status_code, second.status_code) == (200, 200)
    assert [asked for _, asked in plane.catalog.asked] == [(None, None), (None, "catalog/request?token=a%2Fb&x=1")]


@pytest.mark.parametrize("token", ["x", "%00", "w7w=", "A" * 20_000])
async def test_a_continuation_that_is_none_is_refused(
    api: httpx.AsyncClient, plane: ControlPlaneOfTests, token: str
) -> None:
    answer = await api.post(f"/v3/catalog/request?continuationToken={token}", json=PROVIDER)
    assert answer.status_code == 400
    assert plane.catalog.asked == []
