"""What an HTTP server tells about an object: its size, its type, and what pins its version.

A pin is kept as the object's ETag, in one of four forms:

* a strong entity tag, with its quotes: sent as If-Match, and compared with each answer;
* an HTTP date: Last-Modified, sent as If-Unmodified-Since, where it was a second or more past, so that a second change
  within it would show;
* `sha256:<hex>`: the server names no version, or no length; a small object was read once and is known by its digest;
* `once:<random>`: the server names no version of a large object. It is copied in one go, each repeated part compared
  by digest; a copy that a restart interrupted cannot be continued.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

DIGEST: Final = "sha256:"
ONCE: Final = "once:"

_CONTENT_RANGE: Final = re.compile(r"bytes (?:(\d{1,18})-(\d{1,18})|\*)/(\d{1,18}|\*)")
_STRONG: Final = re.compile(r'"[\x21\x23-\x7e]{0,126}"')
_LONGEST_TYPE: Final = 255


@dataclass(frozen=True, slots=True)
class Told:
    """Facts of one answer."""

    size: int | None
    """Of the whole object; None where the server does not say."""
    pin: str
    """Empty where the server names no version."""
    serves_ranges: bool
    content_type: str
    content_encoding: str | None


def told_by(status: int, headers: Mapping[str, str]) -> Told:
    """The facts in an answer to a request for the first byte: 206, 200, or 416 for an empty object."""
    part = content_range(headers)
    whole = headers.get("Content-Length", "")
    return Told(
        size=part[2] if part else int(whole) if status == HTTPStatus.OK and whole.isdecimal() else None,
        pin=pin_of(headers),
        serves_ranges=status == HTTPStatus.PARTIAL_CONTENT and part is not None and part[:2] == (0, 0),
        content_type=_content_type(headers),
        content_encoding=headers.get("Content-Encoding") or None,
    )


def content_range(headers: Mapping[str, str]) -> tuple[int, int, int | None] | None:
    """First byte, last byte and size of the whole; (0, -1, size) for an unsatisfied range; None without the header."""
    found = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", "").strip())
    if not found:
        return None
    first, last, size = found.groups()
    return int(first or 0), int(last) if last else -1, None if size == "*" else int(size)


def pin_of(headers: Mapping[str, str]) -> str:
    """A strong entity tag, else a date that pins, else nothing."""
    tag = headers.get("ETag", "")
    if _STRONG.fullmatch(tag):
        return tag
    changed, now = headers.get("Last-Modified", ""), headers.get("Date", "")
    try:
        settled = parsedate_to_datetime(now) - parsedate_to_datetime(changed) >= timedelta(seconds=1)
    except (TypeError, ValueError):
        return ""
    return changed if settled else ""


def condition_of(pin: str) -> dict[str, str]:
    """The headers that make the server refuse another version."""
    if pin.startswith('"'):
        return {"If-Match": pin}
    return {} if pin.startswith((DIGEST, ONCE)) else {"If-Unmodified-Since": pin}


def is_other_version(pin: str, headers: Mapping[str, str]) -> bool:
    """Whether an answer names another version than the pinned one; not every server heeds a condition."""
    if pin.startswith((DIGEST, ONCE)):
        return False
    return headers.get("ETag" if pin.startswith('"') else "Last-Modified", pin) != pin


def _content_type(headers: Mapping[str, str]) -> str:
    text = headers.get("Content-Type", "")
    usable = 0 < len(text) <= _LONGEST_TYPE and text.isascii() and text.isprintable()
    return text if usable else "application/octet-stream"
