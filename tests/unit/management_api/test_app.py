"""What holds for every path: authentication, limits, the shape of errors, health, documentation."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from connector_spi.errors import SecretNotFoundError, StoreUnavailableError
from control_plane.domain.asset import Asset
from management_api.app import create_app
from management_api.authentication import ApiKeyAuthentication
from management_api.errors import AuthenticationUnavailableError
from management_api.limits import InputLimits
from tests.unit.management_api.conftest import API_KEY
from tests.unit.management_api.fakes import ControlPlaneOfTests

JSON = {"content-type": "application/json"}


def client_of(app: object, *, key: str | None = API_KEY, raising: bool = True) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=raising)  # type: ignore[arg-type]
    return httpx.AsyncClient(
        transport=transport, base_url="http://connector", headers={} if key is None else {"X-API-KEY": key}
    )


@pytest.mark.parametrize("path", ["/v3/assets/x", "/v3/transferprocesses/x/state", "/transferprocess"])
@pytest.mark.parametrize("key", [None, "", "wrong", API_KEY + "x", API_KEY.upper()])
async def test_without_the_right_key_nothing_is_told(api: httpx.AsyncClient, path: str, key: str | None) -> None:
    api.headers.pop("x-api-key")
    answer = await api.get(path, headers={} if key is None else {"x-api-key": key})
    assert answer.status_code == 401
    assert [detail["type"] for detail in answer.json()] == ["AuthenticationFailed"]


async def test_the_key_is_checked_before_the_body_is_read(api: httpx.AsyncClient) -> None:
    answer = await api.post("/v3/assets", content=b"not json", headers={**JSON, "x-api-key": "wrong"})
    assert answer.status_code == 401


async def test_every_managed_path_needs_the_key(plane: ControlPlaneOfTests) -> None:
    async def api_key() -> str:
        return API_KEY

    app = create_app(plane, api_key=api_key)
    operations = [(path, method) for path, item in app.openapi()["paths"].items() for method in item]
    assert len(operations) > 40
    async with client_of(app, key=None) as client:
        for path, method in operations:
            answer = await client.request(method, path.replace("{", "").replace("}", ""))
            assert answer.status_code == (200 if path.startswith("/api/check/") else 401), (method, path)


async def test_a_rotated_key_counts_once_the_cache_is_over() -> None:
    keys = ["old"]

    async def source() -> str:
        return keys[0]

    cached = ApiKeyAuthentication(source, cache_seconds=3600)
    uncached = ApiKeyAuthentication(source, cache_seconds=0)
    await cached.check("old")
    await uncached.check("old")
    keys[0] = "new"
    await cached.check("old")
    await uncached.check("new")


async def test_a_key_of_any_script_is_compared_by_its_bytes() -> None:
    async def source() -> str:
        return "schlüssel"

    await ApiKeyAuthentication(source).check("schlüssel".encode().decode("latin-1"))


async def test_a_vault_without_the_key_lets_nobody_in_and_does_not_name_the_alias() -> None:
    async def source() -> str:
        raise SecretNotFoundError(alias="management-api-key")

    with pytest.raises(AuthenticationUnavailableError) as refused:
        await ApiKeyAuthentication(source).check("anything")
    assert "management-api-key" not in refused.value.message


async def test_without_authentication_everybody_is_let_in(plane: ControlPlaneOfTests) -> None:
    async with client_of(create_app(plane, api_key=None), key=None) as client:
        assert (await client.post("/management/v3/assets/request")).json() == []


async def test_the_base_path_is_configurable(plane: ControlPlaneOfTests) -> None:
    async with client_of(create_app(plane, api_key=None, base_path="/api/data/")) as client:
        assert (await client.get("/api/data/transferprocess")).json() == []


@pytest.mark.parametrize(
    ("content", "status", "part"),
    [
        (b"{", 400, "line 1"),
        (b"[1]", 400, "must be a JSON object"),
        (b'"text"', 400, "must be a JSON object"),
        (b"\xff", 400, "UTF-8"),
        (b'{"a": NaN}', 400, "number"),
        (b'{"limit": 1' + b"0" * 5000 + b"}", 400, "number"),
        (b"[" * 200_000, 400, "nested too deeply"),
        (b'{"a":' * 100 + b"1" + b"}" * 100, 400, "nested deeper"),
        (b'{"@context": "https://unknown.example/x"}', 400, "@context"),
        (b'{"a": "' + b"x" * 1024 * 1024 + b'"}', 413, "larger than 1048576 bytes"),
    ],
    ids=lambda value: str(value)[:16],
)
async def test_a_body_that_cannot_be_read_gets_a_clear_answer(
    api: httpx.AsyncClient, content: bytes, status: int, part: str
) -> None:
    answer = await api.post("/v3/assets/request", content=content, headers=JSON)
    assert answer.status_code == status
    assert part in answer.json()[0]["message"]


async def test_a_body_without_a_declared_length_is_limited_too(plane: ControlPlaneOfTests) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 1024
        raise AssertionError("read on after the limit")

    app = create_app(plane, api_key=None, limits=InputLimits(body_bytes=4096))
    async with client_of(app) as client:
        answer = await client.post("/management/v3/assets/request", content=endless(), headers=JSON)
    assert answer.status_code == 413


async def test_a_body_that_is_not_json_by_its_own_word_is_refused(api: httpx.AsyncClient) -> None:
    answer = await api.post("/v3/assets/request", content=b"{}", headers={"content-type": "text/plain"})
    assert answer.status_code == 415
    answer = await api.post("/v3/assets/request", content=b"{}", headers={"content-type": "application/ld+json"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/v3/nothing", 404, "ObjectNotFound"),
        ("GET", "/v2/assets", 404, "ObjectNotFound"),
        ("DELETE", "/v3/transferprocesses/x", 405, "InvalidRequest"),
        ("POST", "/v3/assets/", 405, "InvalidRequest"),
    ],
)
async def test_unknown_paths_are_answered_in_the_same_shape(
    api: httpx.AsyncClient, method: str, path: str, status: int, kind: str
) -> None:
    answer = await api.request(method, path)
    assert answer.status_code == status
    assert [set(detail) for detail in answer.json()] == [{"message", "type"}]
    assert answer.json()[0]["type"] == kind


class BrokenAssets:
    """A store that fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def find(self, _definition_id: str) -> Asset | None:
        raise self._error


async def answer_when_assets_fail(plane: ControlPlaneOfTests, error: Exception) -> httpx.Response:
    object.__setattr__(plane.stores, "assets", BrokenAssets(error))
    async with client_of(create_app(plane, api_key=None), raising=False) as client:
        return await client.get("/management/v3/assets/x")


async def test_a_database_that_is_down_is_told_as_503_with_a_time_to_retry(plane: ControlPlaneOfTests) -> None:
    error = StoreUnavailableError("The database did not answer.", retry_after_seconds=2.4)
    answer = await answer_when_assets_fail(plane, error)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.json() == [
        {
            "message": "The database did not answer.",
            "type": "ServiceUnavailable",
            "code": "StoreUnavailable",
            "remedy": StoreUnavailableError.remedy,
        }
    ]


async def test_a_defect_shows_neither_its_text_nor_its_traceback(plane: ControlPlaneOfTests) -> None:
    answer = await answer_when_assets_fail(plane, RuntimeError("planted-secret"))
    assert answer.status_code == 500
    assert [detail["type"] for detail in answer.json()] == ["UnexpectedError"]
    assert "planted-secret" not in answer.text
    assert "Traceback" not in answer.text


async def test_a_signed_address_is_not_repeated(api: httpx.AsyncClient) -> None:
    body = {"counterPartyAddress": "https://x.example/c?sig=planted-secret&se=1", "protocol": "x"}
    answer = await api.post("/v3/transferprocesses", json={**body, "contractId": body["counterPartyAddress"]})
    assert answer.status_code == 400
    assert "planted-secret" not in answer.text
    long_id = await api.post("/v3/assets/request", json={"sortField": "x" * 500})
    assert len(long_id.content) < 1500


async def test_health_needs_no_key_and_names_what_is_ill(plane: ControlPlaneOfTests) -> None:
    plane.components = {"database": True, "vault": False}

    async def api_key() -> str:
        return API_KEY

    async with client_of(create_app(plane, api_key=api_key), key=None) as client:
        for path in ("readiness", "startup", "health"):
            answer = await client.get(f"/api/check/{path}")
            assert answer.status_code == 503
            assert answer.json() == {
                "isSystemHealthy": False,
                "componentResults": [
                    {"component": "database", "isHealthy": True},
                    {
                        "component": "vault",
                        "isHealthy": False,
                        "failure": {
                            "failureDetail": "vault does not answer.",
                            "messages": ["vault does not answer."],
                        },
                    },
                ],
            }
        alive = await client.get("/api/check/liveness")
        assert (alive.status_code, alive.json()["isSystemHealthy"]) == (200, True)
        plane.components = {}
        assert (await client.get("/api/check/readiness")).status_code == 503
        plane.components = {"database": True}
        assert (await client.get("/api/check/readiness")).status_code == 200


async def test_every_route_is_documented_with_examples_and_errors(plane: ControlPlaneOfTests) -> None:
    document = create_app(plane, api_key=None).openapi()
    schemas = document["components"]["schemas"]
    references = json.dumps(document).split('"#/components/schemas/')[1:]
    assert {reference.partition('"')[0] for reference in references} <= set(schemas)
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert operation["summary"], (method, path)
            if path.startswith("/api/check/"):
                continue
            assert operation["security"] == [{"ApiKey": []}], (method, path)
            assert "401" in operation["responses"], (method, path)
            if "requestBody" in operation:
                assert operation["requestBody"]["content"]["application/json"]["example"], (method, path)
    assert document["components"]["securitySchemes"]["ApiKey"]["name"] == "X-Api-Key"


async def test_the_examples_in_the_documentation_work(api: httpx.AsyncClient, plane: ControlPlaneOfTests) -> None:
    await plane.agreed("contractAgreementId of the negotiation")
    paths = create_app(plane, api_key=None, base_path="").openapi()["paths"]
    order = ["/v3/policydefinitions", "/v3/assets", "/v3/contractdefinitions", "/v3/catalog/request"]
    rest = ["/v3/catalog/dataset/request", "/v3/contractnegotiations", "/v3/transferprocesses", "/v3/assets/request"]
    for path in order + rest:
        example = paths[path]["post"]["requestBody"]["content"]["application/json"]["example"]
        answer = await api.post(path, json=example)
        assert answer.status_code == 200, (path, answer.text)
