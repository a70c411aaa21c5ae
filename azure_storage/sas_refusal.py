"""Why a signature was refused, as far as the service states it, and honestly where it does not.

Azure answers AuthenticationFailed and states the cause in the body's `AuthenticationErrorDetail`. Azurite answers
AuthorizationFailure and states none; there the dates that the signature itself holds are compared with both clocks, the
service's and ours, and else the causes that remain are named.
"""

import html
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import parse_qs

from azure_storage.errors import (
    AuthenticationFailedError,
    AuthorizationFailureError,
    SasExpiredError,
    SasNotYetValidError,
    SasRevokedError,
    SasSignatureMismatchError,
    StorageRefusedError,
)
from azure_storage.sas import SasToken

_DETAIL: Final = re.compile(r"<AuthenticationErrorDetail>(.*?)(?:</AuthenticationErrorDetail>|\Z)", re.DOTALL)
_TIME_FRAME: Final = re.compile(r"Start \[(.+?)\] - Expiry \[(.+?)\] - Current \[(.+?)\]")


def is_about_the_signature(error: StorageRefusedError) -> bool:
    """Whether the refusal may be one of the signature itself, rather than of what it allows."""
    return isinstance(error, AuthenticationFailedError | AuthorizationFailureError)


def stated_detail(body: str) -> str:
    """What the body of a refusal states as its cause in detail; empty when it states none."""
    found = _DETAIL.search(body)
    return html.unescape(found[1]).strip() if found else ""


def explained(
    error: StorageRefusedError, token: SasToken, detail: str, *, clocks: Sequence[datetime]
) -> StorageRefusedError:
    """The error that names the cause. Nothing of the signature, nor of the text that was signed, gets into it.

    `clocks`: what time it is, by each clock that is known; at least one.
    """
    leaf, finding = _by_detail(detail) or _by_dates(token, clocks) or (type(error), _remaining(error, token))
    return leaf(error.refusal.having(finding))


def http_date(text: str | None) -> datetime | None:
    """The time that a `Date` header, or a text in its form, states."""
    try:
        return parsedate_to_datetime(text).astimezone(UTC) if text else None
    except ValueError:
        return None


def _by_detail(detail: str) -> tuple[type[StorageRefusedError], str] | None:
    if frame := _TIME_FRAME.search(detail):
        return _by_time_frame(frame)
    if "identifier cannot be found" in detail:
        return SasRevokedError, ""
    if detail.startswith("Signature did not match"):
        return SasSignatureMismatchError, ""
    return None


def _by_time_frame(frame: re.Match[str]) -> tuple[type[StorageRefusedError], str]:
    start, end, current = frame.groups()
    finding = f"It holds from {start} to {end}; the service's clock says {current}."
    begins, is_now = http_date(start), http_date(current)
    early = begins is not None and is_now is not None and is_now < begins
    return (SasNotYetValidError if early else SasExpiredError), finding


def _by_dates(token: SasToken, clocks: Sequence[datetime]) -> tuple[type[StorageRefusedError], str] | None:
    """It was refused, so it is enough when one clock says why."""
    if token.expires_at is not None and token.expires_at <= max(clocks):
        return SasExpiredError, ""
    if token.starts_at is not None and token.starts_at > min(clocks):
        return SasNotYetValidError, ""
    return None


def _remaining(error: StorageRefusedError, token: SasToken) -> str:
    terms = parse_qs(token.query)
    stale = "its user delegation key was revoked" if "skoid" in terms else "its account key was rotated"
    causes = [f"the signature does not match (altered, for another resource, or {stale})"]
    if "si" in terms:
        causes.insert(0, "the signature was revoked or has ended (its stored access policy is gone or was changed)")
    if token.expires_at is None:
        causes.append("it has expired (its end is not known here)")
    if isinstance(error, AuthorizationFailureError):
        causes.append("the account's network rules keep this machine out")
    return "The service does not say which of these it is: " + "; ".join(causes) + "."
