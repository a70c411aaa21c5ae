import json
import logging
from collections.abc import Iterator

import pytest

from connector_cli.logging_setup import set_up_logging
from connector_spi.log_context import log_facts

logger = logging.getLogger("connector.test")


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.root
    handlers, level = root.handlers[:], root.level
    levels = {name: each.level for name, each in root.manager.loggerDict.items() if isinstance(each, logging.Logger)}
    yield
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, each in root.manager.loggerDict.items():
        if isinstance(each, logging.Logger):
            each.setLevel(levels.get(name, logging.NOTSET))


def test_a_json_line_holds_message_facts_and_context(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("INFO", "json")
    with log_facts(transfer_process_id="tp-1"):
        logger.info("moved", extra={"state": "STARTED", "attempt": 2, "level": "shadow"})
    line = json.loads(capsys.readouterr().err)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "INFO",
        "logger": "connector.test",
        "message": "moved",
        "transfer_process_id": "tp-1",
        "state": "STARTED",
        "attempt": 2,
    }


def test_a_text_line_quotes_what_could_look_like_another_record(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("INFO", "text")
    logger.info("moved", extra={"state": "STARTED", "reason": "a\nb c"})
    [line] = capsys.readouterr().err.splitlines()
    assert line.endswith(r'INFO    connector.test: moved state=STARTED reason="a\nb c"')


@pytest.mark.parametrize("style", ["json", "text"])
def test_no_secret_reaches_a_line(capsys: pytest.CaptureFixture[str], style: str) -> None:
    set_up_logging("INFO", "json" if style == "json" else "text")
    address = "https://account.example/c?sv=1&sig=planted-secret"
    error = ValueError(f"no answer from {address}")
    facts = {"address": address, "list": [address], "object": {"a": (address,)}, "error": error}
    logger.error("failed at %s", address, extra=facts, exc_info=error)
    written = capsys.readouterr().err
    assert "ValueError" in written
    assert "planted-secret" not in written


def test_libraries_do_not_tell_of_every_call(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("DEBUG", "text")
    logging.getLogger("httpx").info("HTTP Request: GET https://x.example/?sig=1")
    logging.getLogger("uvicorn.access").info("GET /?sig=1")
    logger.debug("ours")
    assert [line.split(": ")[1] for line in capsys.readouterr().err.splitlines()] == ["ours"]


def test_setting_up_twice_writes_each_record_once(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("INFO", "text")
    set_up_logging("INFO", "text")
    logger.info("once")
    assert capsys.readouterr().err.count("once") == 1
