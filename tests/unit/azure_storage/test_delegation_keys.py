"""User delegation keys: how long they last, who shares them, and what a refusal says."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from azure_storage.account_access import EntraAccess
from azure_storage.delegation_keys import KEY_LIFE, RENEWED_AFTER, STARTS_EARLIER, DelegationKey, UserDelegationKeys
from azure_storage.errors import (
    DelegationKeyForbiddenError,
    IdentityTokenRefusedError,
    StorageBusyError,
    StorageRefusedError,
    StorageUnavailableError,
)
from azure_storage.sdk_clients import SdkClients
from connector_spi.errors import ConnectorError
from tests.identities import PlainCredential
from tests.unit.azure_storage.delegating_service import DelegatingService, delegating_service
from tests.unit.azure_storage.test_account_keys import TurnedClock

ACCOUNT = "acme1"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(slots=True)
class Stage:
    service: DelegatingService
    keys: UserDelegationKeys
    clock: TurnedClock
    credential: PlainCredential

    async def key(self, lasting: timedelta = HOUR) -> DelegationKey:
        access = EntraAccess("own", self.credential)
        return await self.keys.key_of(ACCOUNT, access, until=self.clock.time + lasting)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with delegating_service(tmp_path) as (service, session):
        clock = TurnedClock()
        clients = SdkClients(service.endpoints, session, read_timeout_seconds=10)
        yield Stage(service, UserDelegationKeys(clients, clock=clock, call_seconds=10), clock, PlainCredential())


async def test_a_key_starts_a_little_earlier_and_ends_seven_days_after_its_start(stage: Stage) -> None:
    key = await stage.key()
    start = stage.clock.time - STARTS_EARLIER
    assert stage.service.asked == [(start, start + KEY_LIFE)]
    assert key.expires_at == start + KEY_LIFE
    assert stage.service.authorizations == ["Bearer token-of-the-test"]


async def test_a_key_is_shared_for_a_day_and_then_renewed(stage: Stage) -> None:
    first = await stage.key()
    stage.clock.time += RENEWED_AFTER - timedelta(seconds=1)
    assert await stage.key() is first
    stage.clock.time += timedelta(seconds=1)
    assert await stage.key() is not first
    assert len(stage.service.asked) == 2


async def test_who_waits_at_the_same_time_shares_one_request(stage: Stage) -> None:
    stage.service.answers.clear()
    waiting = [asyncio.create_task(stage.key()) for _ in range(20)]
    await stage.service.asked_first.wait()
    waiting[0].cancel()
    stage.service.answers.set()
    keys = await asyncio.gather(*waiting[1:])
    assert len({id(key) for key in keys}) == 1
    assert len(stage.service.asked) == 1
    assert stage.credential.asked == 1


async def test_a_key_that_ends_too_early_is_not_used(stage: Stage) -> None:
    stage.service.gives_at_most = 2 * HOUR
    first = await stage.key()
    stage.clock.time += HOUR
    second = await stage.key()
    assert first.expires_at < stage.clock.time + HOUR <= second.expires_at


async def test_what_the_service_gives_counts_when_it_is_less_and_never_more_than_it_may(stage: Stage) -> None:
    stage.service.gives_at_most = HOUR
    assert (await stage.key(DAY)).expires_at == stage.clock.time - STARTS_EARLIER + HOUR
    stage.keys.forget(ACCOUNT)
    stage.service.gives_at_most = timedelta(days=30)
    assert (await stage.key()).expires_at <= stage.clock.time + KEY_LIFE


async def test_a_forgotten_key_is_fetched_anew(stage: Stage) -> None:
    first = await stage.key()
    stage.keys.forget(ACCOUNT)
    assert (await stage.key()).value.value != first.value.value


@pytest.mark.parametrize("refusal", [(503, "ServerBusy"), (500, "InternalError")])
async def test_a_key_that_could_be_renewed_later_serves_as_long_as_it_lasts(
    stage: Stage, refusal: tuple[int, str]
) -> None:
    first = await stage.key()
    stage.clock.time += 2 * DAY
    stage.service.refusal = refusal
    assert await stage.key() is first
    with pytest.raises(StorageBusyError):
        await stage.key(6 * DAY)


@pytest.mark.parametrize(
    ("refusal", "leaf", "text"),
    [
        ((403, "AuthorizationPermissionMismatch"), DelegationKeyForbiddenError, "'own'.*Storage Blob Delegator"),
        ((401, "InvalidAuthenticationInfo"), IdentityTokenRefusedError, "'own'.*tenant"),
        ((403, "AuthenticationFailed"), IdentityTokenRefusedError, "'own'.*clock"),
        ((403, "AuthorizationFailure"), StorageRefusedError, "network rules"),
    ],
)
async def test_a_refusal_names_identity_and_remedy(
    stage: Stage, refusal: tuple[int, str], leaf: type[StorageRefusedError], text: str
) -> None:
    stage.service.refusal = refusal
    with pytest.raises(leaf, match=text) as refused:
        await stage.key()
    assert "token-of-the-test" not in refused.value.message
    stage.service.refusal = None
    assert (await stage.key()).expires_at > datetime(2026, 1, 1, tzinfo=UTC)


async def test_what_keeps_the_identity_from_a_token_is_told_as_it_is(stage: Stage) -> None:
    class NoTokenError(ConnectorError):
        code = "NoToken"

    stage.credential.error = NoTokenError("no token")
    with pytest.raises(NoTokenError):
        await stage.key()


async def test_a_service_that_does_not_answer_in_time_is_transient(stage: Stage) -> None:
    stage.service.answers.clear()
    stage.keys._call_seconds = 0.05
    try:
        with pytest.raises(StorageUnavailableError, match="Get User Delegation Key"):
            await stage.key()
    finally:
        stage.service.answers.set()
