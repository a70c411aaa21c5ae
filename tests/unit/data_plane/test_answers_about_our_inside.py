"""What a data plane answers when its own vault is the trouble: pullers and counterparties read such answers too."""

import logging

import httpx
import pytest
from fastapi import FastAPI

from connector_spi.errors import ConnectorError, VaultForbiddenError, VaultUnavailableError
from data_plane.signaling_api import error_answers


@pytest.mark.parametrize(
    ("error", "status"),
    [(VaultUnavailableError("https://planted-host is down"), 503), (VaultForbiddenError("GET planted-path"), 400)],
    ids=["unavailable", "forbidden"],
)
async def test_the_answer_tells_nothing_of_our_vault_and_the_log_tells_it(
    error: ConnectorError, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    app = FastAPI()
    error_answers.install(app)

    @app.get("/")
    async def fail() -> None:
        raise error

    caplog.set_level(logging.WARNING)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://data-plane.example") as client:
        answer = await client.get("/")
    assert (answer.status_code, answer.json()) == (status, {"code": error.code, "message": error.outward})
    assert error.message in [vars(record).get("reason") for record in caplog.records]
