"""Log records as lines on standard error: JSON for machines, text for people. Both are redacted."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, Final, Literal

from connector_spi.log_context import RedactingFilter, current_facts, redacted

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_TALKATIVE: Final = (
    "aiosqlite",
    "apscheduler",
    "asyncio",
    "azure",
    "httpcore",
    "httpx",
    "sqlalchemy",
    "transitions",
    "uvicorn",
)
"""Libraries whose informative records tell of every call, some with whole addresses."""
_AUDIT: Final = "connector.audit"
"""Records of this logger and those below it are written at every level; `[vault] audit` turns them off."""


def set_up_logging(level: str, style: Literal["json", "text"]) -> None:
    """Send every record of the process to standard error in this style, in place of what was set up before."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(RedactingFilter())
    handler.setFormatter(JsonLines() if style == "json" else TextLines())
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(level)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.root.level))
    logging.getLogger(_AUDIT).setLevel(min(logging.INFO, logging.root.level))
    logging.captureWarnings(True)


def facts_of(record: logging.LogRecord) -> dict[str, Any]:
    """The facts of the context and of the record's `extra`, redacted."""
    own = {name: value for name, value in vars(record).items() if name not in _STANDARD}
    return {name: _redacted(value) for name, value in {**current_facts(), **own}.items()}


class JsonLines(logging.Formatter):
    """One JSON object for each record: timestamp, level, logger, message, then the facts, then the exception."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        head = {
            "timestamp": _timestamp(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line = {**facts_of(record), **head}
        line = {**head, **{name: value for name, value in line.items() if name not in head}}
        if record.exc_text:
            line["exception"] = record.exc_text
        return json.dumps(line, ensure_ascii=False)


class TextLines(logging.Formatter):
    """Timestamp, level, logger, message, then the facts as name=value; an exception follows on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, or lines when there is an exception."""
        facts = "".join(f" {name}={_quoted(value)}" for name, value in facts_of(record).items())
        line = f"{_timestamp(record)} {record.levelname:<7} {record.name}: {record.getMessage()}{facts}"
        return f"{line}\n{record.exc_text}" if record.exc_text else line


def _timestamp(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _redacted(value: Any) -> Any:
    """The value as JSON can hold it, every text in it redacted."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict):
        return {str(name): _redacted(member) for name, member in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted(item) for item in value]
    return redacted(str(value))


def _quoted(value: object) -> str:
    """Text with spaces or line breaks in quotes, so that one record cannot look like two."""
    text = str(value)
    return text if text.isprintable() and text and " " not in text else json.dumps(text, ensure_ascii=False)
