"""Who signs when a signature is refused: once more with another key, if there is one."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from azure_storage.account_access import AccountAccesses, SharedKey
from azure_storage.account_keys import AccountKeys
from azure_storage.account_signers import AccountSigners
from azure_storage.delegation_keys import STARTS_EARLIER, UserDelegationKeys
from azure_storage.errors import AuthenticationFailedError, Refusal
from azure_storage.sas_signing import SasSigner, SigningKey
from azure_storage.sdk_clients import SdkClients
from azure_storage.settings import AzureStorageSettings, StorageAccountSettings
from tests.identities import PlainCredential, PlainCredentials
from tests.unit.azure_storage.delegating_service import DelegatingService, delegating_service
from tests.unit.azure_storage.test_account_keys import TurnedClock
from vault_adapters.memory import InMemoryVault

BY_IDENTITY, BY_KEY = "acme1", "other1"
OLD_KEY, NEW_KEY = "b2xk", "bmV3"
Stage = tuple[AccountSigners, dict[str, str], DelegatingService, TurnedClock]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with delegating_service(tmp_path) as (service, session):
        clock, secrets = TurnedClock(), {BY_KEY: OLD_KEY}
        settings = AzureStorageSettings(
            endpoint_template=service.endpoints.template,
            accounts=(StorageAccountSettings(name=BY_IDENTITY, identity="own"),),
        )
        keys = AccountKeys(InMemoryVault(secrets), settings, clock=clock)
        accesses = AccountAccesses(keys, settings, PlainCredentials({"own": PlainCredential()}))
        clients = SdkClients(service.endpoints, session, read_timeout_seconds=10)
        signers = AccountSigners(
            accesses,
            UserDelegationKeys(clients, clock=clock, call_seconds=10),
            endpoints=service.endpoints,
            clock=clock,
            delegation_seconds=7 * 86400,
        )
        yield signers, secrets, service, clock


class Storage:
    """Refuses every signature of keys that it was told are stale."""

    def __init__(self) -> None:
        self.seen: list[SigningKey] = []
        self.refuses_all = False

    async def call(self, signer: SasSigner) -> str:
        self.seen.append(signer.key)
        if len(self.seen) == 1 or self.refuses_all:
            raise AuthenticationFailedError(Refusal("List Blobs", "acme1/data", 403))
        return "answer"


async def test_a_refused_delegation_key_is_replaced_once(stage: Stage) -> None:
    signers, _, service, _ = stage
    storage = Storage()
    assert await signers.signed(BY_IDENTITY, storage.call, key_name=None, lifetime_seconds=60) == "answer"
    assert len(storage.seen) == len(service.asked) == 2
    storage.refuses_all = True
    with pytest.raises(AuthenticationFailedError):
        await signers.signed(BY_IDENTITY, storage.call, key_name=None, lifetime_seconds=60)
    assert len(storage.seen) == 4


async def test_a_refused_account_key_is_tried_again_only_when_the_vault_holds_another(stage: Stage) -> None:
    signers, secrets, service, _ = stage
    storage = Storage()
    with pytest.raises(AuthenticationFailedError):
        await signers.signed(BY_KEY, storage.call, key_name=None, lifetime_seconds=60)
    assert storage.seen == [SharedKey(OLD_KEY)]
    secrets[BY_KEY] = NEW_KEY
    signers.forget(BY_KEY)
    assert await signers.signed(BY_KEY, storage.call, key_name=None, lifetime_seconds=60) == "answer"
    assert storage.seen[1:] == [SharedKey(NEW_KEY)]
    assert service.asked == []


async def test_a_signature_ends_with_its_key_where_the_service_gives_no_longer_one(stage: Stage) -> None:
    signers, _, service, clock = stage
    service.gives_at_most = timedelta(hours=2)
    signer = await signers.of(BY_IDENTITY, key_name=None, lifetime_seconds=86400)
    assert signer.terms.expires_at == clock.time - STARTS_EARLIER + timedelta(hours=2)
    assert signer.terms.starts_at >= datetime(2026, 1, 1, tzinfo=UTC) - STARTS_EARLIER
    assert signer.terms.https_only
