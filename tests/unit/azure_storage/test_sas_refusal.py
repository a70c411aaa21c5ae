"""What Azure states of a refused signature, in the form of its published answers, and what is said without it."""

from datetime import UTC, datetime

import pytest
from aiohttp import web

from azure_storage.block_client import BlockBlobClient
from azure_storage.errors import (
    AuthenticationFailedError,
    AuthorizationFailureError,
    AuthorizationPermissionMismatchError,
    SasExpiredError,
    SasNotYetValidError,
    SasRevokedError,
    SasSignatureMismatchError,
    StorageRefusedError,
)
from azure_storage.sas import SasToken
from tests.unit.azure_storage.stub_service import SIGNATURE, Handler, answering, stub_service

FAILED = "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly"
FRAME = (
    "Signature not valid in the specified time frame: Start [Thu, 01 Jan 2026 10:00:00 GMT] - "
    "Expiry [Thu, 01 Jan 2026 11:00:00 GMT] - Current [Thu, 01 Jan 2026 {current} GMT]"
)
FAR = "2999-01-01T00%3A00%3A00Z"


def _azure(detail: str) -> Handler:
    body = (
        f'\ufeff<?xml version="1.0" encoding="utf-8"?><Error><Code>AuthenticationFailed</Code><Message>{FAILED}\n'
        f"RequestId:0-0\nTime:2026-01-01T00:00:00Z</Message>"
        f"<AuthenticationErrorDetail>{detail}</AuthenticationErrorDetail></Error>"
    )
    return answering(403, "AuthenticationFailed", body=body)


async def _refused(handler: Handler, token: str) -> StorageRefusedError:
    """What a small write with the query `token` (a signature is added) is refused with."""
    async with stub_service(handler, token=f"{token}&sig={SIGNATURE}") as (session, url):
        with pytest.raises(StorageRefusedError) as refused:
            await BlockBlobClient(session).put_blob(url, b"x")
    assert "topsecret" not in refused.value.message
    return refused.value


@pytest.mark.parametrize(
    ("detail", "leaf"),
    [
        (FRAME.format(current="12:00:00"), SasExpiredError),
        (FRAME.format(current="11:00:00"), SasExpiredError),
        (FRAME.format(current="09:59:59"), SasNotYetValidError),
        ("SAS identifier cannot be found for specified signed identifier", SasRevokedError),
        (
            f"Signature did not match. String to sign used was w\n\n{FAR}\n/blob/acme1/data\n\n",
            SasSignatureMismatchError,
        ),
        ("Something that is not known here", AuthenticationFailedError),
        ("", AuthenticationFailedError),
    ],
)
async def test_what_azure_states_becomes_the_cause(detail: str, leaf: type[StorageRefusedError]) -> None:
    assert type(await _refused(_azure(detail), f"sp=w&se={FAR}")) is leaf


async def test_the_services_clock_is_told_where_it_decides() -> None:
    error = await _refused(_azure(FRAME.format(current="09:59:59")), f"sp=w&se={FAR}")
    assert "the service's clock says Thu, 01 Jan 2026 09:59:59 GMT" in error.message


async def test_the_text_that_was_signed_is_not_shown() -> None:
    detail = "Signature did not match. String to sign used was w\n/blob/acme1/data\nquitesecretpolicy"
    assert "quitesecretpolicy" not in (await _refused(_azure(detail), f"sp=w&se={FAR}")).message


async def test_a_cause_is_found_in_the_start_of_a_long_body_and_no_more_is_read() -> None:
    detail = "SAS identifier cannot be found for specified signed identifier" + "x" * 1_000_000
    assert type(await _refused(_azure(detail), f"sp=w&se={FAR}")) is SasRevokedError
    late = "y" * 1_000_000 + "SAS identifier cannot be found for specified signed identifier"
    assert type(await _refused(_azure(late), f"sp=w&se={FAR}")) is AuthenticationFailedError


async def test_a_body_that_breaks_off_leaves_the_cause_open() -> None:
    async def break_off(request: web.Request) -> web.StreamResponse:
        await request.read()
        headers = {"x-ms-error-code": "AuthenticationFailed", "Content-Length": "1000"}
        response = web.StreamResponse(status=403, headers=headers)
        await response.prepare(request)
        await response.write(b"<Error>")
        assert request.transport is not None
        request.transport.close()
        return response

    assert type(await _refused(break_off, f"sp=w&se={FAR}")) is AuthenticationFailedError


@pytest.mark.parametrize("code", ["AuthenticationFailed", "AuthorizationFailure"])
async def test_without_a_statement_the_dates_of_the_signature_decide(code: str) -> None:
    refusing = answering(403, code)
    assert type(await _refused(refusing, "sp=w&se=2020-01-01T00%3A00%3A00Z")) is SasExpiredError
    assert type(await _refused(refusing, f"sp=w&st={FAR}&se=2999-02-01")) is SasNotYetValidError


async def test_the_services_clock_counts_where_ours_differs() -> None:
    assert type(await _refused(answering(403, "AuthorizationFailure"), f"sp=w&se={FAR}")) is AuthorizationFailureError
    ahead = answering(403, "AuthorizationFailure", Date="Wed, 02 Jan 2999 00:00:00 GMT")
    assert type(await _refused(ahead, f"sp=w&se={FAR}")) is SasExpiredError
    behind = answering(403, "AuthorizationFailure", Date="Wed, 01 Jan 2020 00:00:00 GMT")
    assert type(await _refused(behind, f"sp=w&st=2020-01-02&se={FAR}")) is SasNotYetValidError
    nonsense = answering(403, "AuthorizationFailure", Date="yesterday")
    assert type(await _refused(nonsense, f"sp=w&se={FAR}")) is AuthorizationFailureError


async def test_without_a_statement_and_dates_the_causes_that_remain_are_named() -> None:
    bound = await _refused(answering(403, "AuthorizationFailure"), "si=policy")
    assert type(bound) is AuthorizationFailureError
    for cause in ("revoked", "does not match", "expired", "network rules"):
        assert cause in bound.message
    by_identity = await _refused(answering(403, "AuthorizationFailure"), f"sp=w&se={FAR}&skoid=1")
    assert "user delegation key was revoked" in by_identity.message
    plain = await _refused(answering(403, "AuthenticationFailed"), f"sp=w&st=nonsense&se={FAR}")
    assert "does not match" in plain.message
    assert "account key was rotated" in plain.message
    for cause in ("revoked (", "has ended", "expired", "network rules"):
        assert cause not in plain.message.split("which of these")[1].split(".")[0]


async def test_a_missing_permission_is_no_fault_of_the_signature() -> None:
    past = "sp=w&se=2020-01-01T00%3A00%3A00Z"
    assert type(await _refused(answering(403, "AuthorizationPermissionMismatch"), past)) is (
        AuthorizationPermissionMismatchError
    )


def test_the_start_is_read_from_the_signature() -> None:
    assert SasToken("st=2026-01-01T00%3A00%3A00Z&sig=x").starts_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert SasToken("st=2026-01-01&sig=x").starts_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert SasToken("st=tomorrow&sig=x").starts_at is None
    assert SasToken("sig=x").starts_at is None
    with_offset = SasToken("st=2026-01-01T01%3A00%3A00%2B01%3A00&sig=x")
    assert with_offset.starts_at == datetime(2026, 1, 1, tzinfo=UTC)
