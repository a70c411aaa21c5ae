"""The signature that a flow writes with: renewed in time by one caller, for all; parked when there is none."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from azure_storage.sas import SasToken
from connector_spi.data_address import DataAddress
from connector_spi.errors import ConnectorError, PeerUnavailableError
from connector_spi.signaling import DataFlowState
from connector_spi.vault import Vault
from data_plane.adapters.azure_credential import RenewalPendingError, WriteCredential, WriteCredentials
from data_plane.domain.credential_life import CredentialNeededError, RenewalTiming
from data_plane.domain.data_flow import DataFlow
from data_plane.ports.credential_renewal import RenewalUnavailableError
from tests.unit.data_plane.fakes import ManualClock, a_data_flow
from vault_adapters.cached import CachedVault
from vault_adapters.memory import InMemoryVault

TIMING = RenewalTiming(
    renew_before=timedelta(seconds=300), park_before=timedelta(seconds=10), patience=timedelta(seconds=60)
)
ALIAS = "flow-alias"


def signature(ends_at: datetime | None, *, sig: str = "one") -> SasToken:
    return SasToken(f"si=policy&sig={sig}", ends_at)


@dataclass
class Issuer:
    """A control plane that prolongs the stored access policy: the same query, a later end."""

    clock: ManualClock = field(default_factory=ManualClock)
    secrets: dict[str, str] = field(default_factory=dict)
    life: float = 60
    errors: list[ConnectorError] = field(default_factory=list)
    asked: int = 0
    sig: str = "one"
    before: Callable[[], asyncio.Event | None] = lambda: None

    def issue(self) -> SasToken:
        token = signature(self.clock.now() + timedelta(seconds=self.life), sig=self.sig)
        self.secrets[ALIAS] = token.to_secret()
        return token

    async def renewed(self, _flow: DataFlow) -> None:
        self.asked += 1
        if event := self.before():
            await event.wait()
        if self.errors:
            raise self.errors.pop(0)
        self.issue()

    def credential(
        self, state: DataFlowState = DataFlowState.STARTED, *, vault: Vault | None = None
    ) -> WriteCredential:
        flow = a_data_flow(destination=DataAddress("AzureStorage", {"keyName": ALIAS}), state=state)
        vault = vault or InMemoryVault(self.secrets)
        return WriteCredentials(vault=vault, clock=self.clock, renewal=self, timing=TIMING).of(flow)


async def test_a_signature_is_renewed_again_and_again_for_as_long_as_it_is_used() -> None:
    issuer = Issuer()
    issuer.issue()
    credential = issuer.credential()
    ends = set()
    for _ in range(300):
        token = await credential.token()
        assert token.expires_at is not None
        assert token.expires_at > issuer.clock.now()
        ends.add(token.expires_at)
        issuer.clock.advance(1)
    assert issuer.asked == len(ends) - 1
    assert issuer.asked == 9


async def test_a_renewed_signature_is_read_past_what_is_kept_in_memory() -> None:
    issuer = Issuer()
    issuer.issue()
    vault = CachedVault(InMemoryVault(issuer.secrets), kept_for=timedelta(hours=1), clock=issuer.clock)
    credential = issuer.credential(vault=vault)
    first = await credential.token()
    issuer.sig = "two"
    assert await credential.refused(first)
    assert await credential.token() == signature(issuer.clock.now() + timedelta(seconds=60), sig="two")
    await vault.aclose()


async def test_one_caller_renews_while_the_others_go_on() -> None:
    issuer = Issuer()
    first = issuer.issue()
    gate = asyncio.Event()
    issuer.before = lambda: gate
    credential = issuer.credential()
    await credential.token()
    issuer.clock.advance(40)
    renewing = asyncio.create_task(credential.token())
    await asyncio.sleep(0)
    assert [await credential.token() for _ in range(5)] == [first] * 5
    assert not renewing.done()
    gate.set()
    assert (await renewing).expires_at == issuer.clock.now() + timedelta(seconds=60)
    assert await credential.token() == await renewing
    assert issuer.asked == 1


async def test_close_to_the_end_all_callers_wait_for_the_one_renewal() -> None:
    issuer = Issuer()
    issuer.issue()
    gate = asyncio.Event()
    issuer.before = lambda: gate
    credential = issuer.credential()
    await credential.token()
    issuer.clock.advance(58)
    waiting = [asyncio.create_task(credential.token()) for _ in range(5)]
    for _ in range(3):
        await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    gate.set()
    assert len(set(await asyncio.gather(*waiting))) == 1
    assert issuer.asked == 1


async def test_without_renewal_the_signature_is_used_until_shortly_before_its_end() -> None:
    issuer = Issuer(errors=[RenewalUnavailableError("The control plane does not know how.")])
    token = issuer.issue()
    credential = issuer.credential()
    issuer.clock.advance(0)
    for _ in range(53):
        assert await credential.token() == token
        issuer.clock.advance(1)
    issuer.clock.advance(1)
    with pytest.raises(CredentialNeededError) as caught:
        await credential.token()
    assert "The control plane does not know how" in caught.value.message
    assert "Resume" in caught.value.message
    assert issuer.asked == 1, "it is not asked again in vain"


async def test_a_credential_that_came_in_meanwhile_is_taken_without_asking() -> None:
    issuer = Issuer()
    issuer.issue()
    credential = issuer.credential()
    await credential.token()
    issuer.clock.advance(50)
    newer = issuer.issue()
    assert await credential.token() == newer
    assert issuer.asked == 0


async def test_a_silent_control_plane_is_asked_with_patience_and_then_the_flow_is_parked() -> None:
    issuer = Issuer(errors=[PeerUnavailableError(f"silent {number}") for number in range(1000)])
    issuer.issue()
    credential = issuer.credential()
    await credential.token()
    issuer.clock.advance(59)
    with pytest.raises(RenewalPendingError):
        await credential.token()
    for _ in range(59):
        issuer.clock.advance(1)
        with pytest.raises(RenewalPendingError):
            await credential.token()
    assert issuer.asked > 20
    issuer.clock.advance(2)
    with pytest.raises(CredentialNeededError, match="silent"):
        await credential.token()
    issuer.errors.clear()
    issuer.clock.advance(2)
    assert (await credential.token()).expires_at == issuer.clock.now() + timedelta(seconds=60)


async def test_the_control_planes_wish_to_be_left_alone_is_heard() -> None:
    issuer = Issuer(errors=[PeerUnavailableError("too many", retry_after_seconds=10)])
    issuer.issue()
    credential = issuer.credential()
    await credential.token()
    issuer.clock.advance(40)
    for _ in range(9):
        await credential.token()
        issuer.clock.advance(1)
    assert issuer.asked == 1


async def test_a_refused_signature_is_replaced_once_for_all_its_callers() -> None:
    issuer = Issuer()
    old = issuer.issue()
    credential = issuer.credential()
    await credential.token()
    issuer.sig = "made-with-the-rotated-key"
    assert await asyncio.gather(*(credential.refused(old) for _ in range(5))) == [True] * 5
    assert issuer.asked == 1
    fresh = await credential.token()
    assert fresh.query != old.query
    assert not await credential.refused(fresh), "another one would be refused as well"
    assert issuer.asked == 1


async def test_a_revoked_signature_that_is_not_renewed_is_no_reason_to_park() -> None:
    issuer = Issuer(errors=[RenewalUnavailableError("The outcome is known.")])
    token = issuer.issue()
    credential = issuer.credential()
    await credential.token()
    assert not await credential.refused(token)


async def test_a_signature_that_storage_takes_for_expired_parks_the_flow() -> None:
    issuer = Issuer(errors=[RenewalUnavailableError("No.")])
    token = issuer.issue()
    credential = issuer.credential()
    await credential.token()
    with pytest.raises(CredentialNeededError):
        await credential.refused(token, expired=True)


async def test_a_refused_signature_waits_for_a_control_plane_that_is_away_for_a_moment() -> None:
    issuer = Issuer(errors=[PeerUnavailableError("away")])
    token = issuer.issue()
    credential = issuer.credential()
    await credential.token()
    with pytest.raises(RenewalPendingError):
        await credential.refused(token)
    issuer.sig = "fresh"
    issuer.clock.advance(2)
    assert await credential.refused(token)


async def test_a_signature_without_a_known_end_is_used_until_storage_refuses_it() -> None:
    issuer = Issuer()
    issuer.secrets[ALIAS] = signature(None).to_secret()
    credential = issuer.credential()
    token = await credential.token()
    issuer.clock.advance(1e7)
    assert await credential.token() == token
    assert issuer.asked == 0
    assert await credential.refused(token, expired=True)


async def test_a_flow_that_has_ended_asks_for_nothing() -> None:
    issuer = Issuer()
    token = issuer.issue()
    credential = issuer.credential(DataFlowState.TERMINATED)
    issuer.clock.advance(50)
    assert await credential.token() == token
    issuer.clock.advance(20)
    with pytest.raises(CredentialNeededError):
        await credential.token()
    assert issuer.asked == 0


async def test_an_expired_signature_is_renewed_at_once_when_a_flow_goes_on() -> None:
    issuer = Issuer()
    issuer.issue()
    issuer.clock.advance(1000)
    assert (await issuer.credential().token()).expires_at == issuer.clock.now() + timedelta(seconds=60)
