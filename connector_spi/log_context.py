"""Names of facts in log records, and the redaction of what must not be in them."""

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Final

_FACTS: ContextVar[Mapping[str, str]] = ContextVar("log_facts", default=MappingProxyType({}))

_SIGNATURE: Final = re.compile(r"(?i)\b(sig|se|skoid|sktid|code|token|secret|password|authorization)=[^&\s\"']+")
_URL_QUERY: Final = re.compile(r"(https?://[^\s?\"'<>]+)\?[^\s\"'<>]*")
_ACCOUNT_KEY: Final = re.compile(r"(?i)(AccountKey|SharedAccessSignature)=[^;\s\"']+")
_BEARER: Final = re.compile(r"(?i)\b(Bearer|SharedKey)\s+[A-Za-z0-9._~+/=:-]+")


def redacted(text: str) -> str:
    """The text with signatures, tokens, account keys and the query of every URL taken out."""
    text = _URL_QUERY.sub(r"\1?***", text)
    text = _ACCOUNT_KEY.sub(r"\1=***", text)
    text = _BEARER.sub(r"\1 ***", text)
    return _SIGNATURE.sub(r"\1=***", text)


@contextmanager
def log_facts(**facts: str) -> Iterator[None]:
    """Add facts (transfer_process_id, data_flow_id, participant_id, ...) to every record logged inside."""
    token = _FACTS.set({**_FACTS.get(), **facts})
    try:
        yield
    finally:
        _FACTS.reset(token)


def current_facts() -> dict[str, str]:
    """The facts of the present context."""
    return dict(_FACTS.get())


class RedactingFilter(logging.Filter):
    """The last line of defence: redacts the rendered message and the traceback of every record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record in place; never drops one."""
        record.msg = redacted(record.getMessage())
        record.args = ()
        if record.exc_info and not record.exc_text:
            record.exc_text = redacted(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return True
