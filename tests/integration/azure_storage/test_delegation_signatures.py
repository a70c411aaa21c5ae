"""Signatures that an identity makes: no account key is in the vault, and Azurite checks them."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest
from yarl import URL

from azure_storage.account_access import AccountAccesses
from azure_storage.account_keys import AccountKeys
from azure_storage.block_client import BlockBlobClient
from azure_storage.containers import ObjectStorage
from azure_storage.errors import AuthorizationFailureError, ContainerNotFoundError, IdentityTokenRefusedError
from azure_storage.sas import SasToken
from azure_storage.session import StorageSession
from connector_spi.clock import SystemClock
from connector_spi.errors import InvalidInputError
from tests.conftest import AzuriteWithOAuth
from tests.identities import PlainCredential, PlainCredentials
from tests.integration.azure_storage.conftest import ACCOUNT, IDENTITY, PROCESS, Access, Place
from vault_adapters.memory import InMemoryVault

pytestmark = [pytest.mark.azurite, pytest.mark.parametrize("access", [IDENTITY], indirect=True)]

DELEGATION_SECONDS = 300.0


class LaterClock:
    """The machine's clock, and so much later."""

    def __init__(self) -> None:
        self.later = timedelta()

    def now(self) -> datetime:
        return SystemClock().now() + self.later


def _storage(
    access: Access,
    session: StorageSession,
    *,
    delegation_seconds: float = DELEGATION_SECONDS,
    clock: LaterClock | None = None,
    credentials: PlainCredentials | None = None,
) -> ObjectStorage:
    accesses = AccountAccesses(AccountKeys(InMemoryVault({})), access.settings, credentials or access.credentials)
    return ObjectStorage(
        endpoints=access.endpoints,
        accesses=accesses,
        clock=clock or LaterClock(),
        session=session,
        delegation_seconds=delegation_seconds,
    )


def _terms(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query).items()}


async def test_a_write_signature_is_the_identitys_for_tls_alone_and_starts_a_little_earlier(
    place: Place, azurite_oauth: AzuriteWithOAuth
) -> None:
    terms = _terms(place.write.query)
    assert terms["skoid"] == azurite_oauth.entra.client_object_id
    assert (terms["sr"], terms["sp"], terms["spr"]) == ("c", "w", "https")
    starts_at = datetime.fromisoformat(terms["st"])
    assert timedelta(minutes=4) < datetime.now(UTC) - starts_at < timedelta(minutes=6)
    assert datetime.fromisoformat(terms["skt"]) <= starts_at
    assert datetime.fromisoformat(terms["ske"]) >= datetime.fromisoformat(terms["se"])
    assert "si" not in terms


async def test_its_life_is_that_of_the_settings_and_renewing_prolongs_it(
    access: Access, session: StorageSession, blocks: BlockBlobClient, place: Place
) -> None:
    clock = LaterClock()
    storage = _storage(access, session, clock=clock)

    async def minted() -> SasToken:
        return await storage.mint_write_sas(ACCOUNT, place.container, policy_id="p", lifetime_seconds=86400)

    first = await minted()
    clock.later = timedelta(minutes=2)
    second = await minted()
    assert first.expires_at is not None
    assert second.expires_at is not None
    assert first.expires_at - datetime.now(UTC) <= timedelta(seconds=DELEGATION_SECONDS)
    assert second.expires_at - first.expires_at >= timedelta(minutes=2)
    assert await blocks.put_blob(second.applied_to(place.to_write("a").url), b"a")


async def test_seven_days_are_the_most_that_a_signature_lives(
    access: Access, session: StorageSession, blocks: BlockBlobClient, place: Place
) -> None:
    week = 7 * 86400.0
    storage = _storage(access, session, delegation_seconds=week)
    token = await storage.mint_write_sas(ACCOUNT, place.container, policy_id="p", lifetime_seconds=2 * week)
    terms = _terms(token.query)
    whole = datetime.fromisoformat(terms["ske"]) - datetime.fromisoformat(terms["skt"])
    assert whole == timedelta(days=7)
    assert datetime.fromisoformat(terms["se"]) <= datetime.fromisoformat(terms["ske"])
    assert await blocks.put_blob(token.applied_to(place.to_write("a").url), b"a")


async def test_revoking_does_nothing_and_deleting_the_container_ends_it(
    storage: ObjectStorage, blocks: BlockBlobClient, place: Place
) -> None:
    await storage.revoke_sas(ACCOUNT, place.container, policy_id="transfer")
    assert await blocks.put_blob(place.to_write("a"), b"a")
    await storage.delete_container(ACCOUNT, place.container, process_id=PROCESS)
    with pytest.raises((ContainerNotFoundError, AuthorizationFailureError)):
        await blocks.put_blob(place.to_write("b"), b"b")


async def test_no_stored_policy_is_made(storage: ObjectStorage, session: StorageSession, place: Place) -> None:
    for number in range(7):
        await storage.mint_write_sas(ACCOUNT, place.container, policy_id=f"p-{number}", lifetime_seconds=60)


async def test_an_account_key_that_an_address_names_is_refused(storage: ObjectStorage, place: Place) -> None:
    with pytest.raises(InvalidInputError, match="opened by an identity"):
        await storage.mint_read_sas(ACCOUNT, place.container, lifetime_seconds=60, key_name="some-key")
    with pytest.raises(InvalidInputError, match="opened by an identity"):
        await storage.create_container(ACCOUNT, place.container, process_id=PROCESS, key_name="some-key")


async def test_a_listing_after_the_keys_were_forgotten_takes_a_new_one(
    storage: ObjectStorage, blocks: BlockBlobClient, place: Place
) -> None:
    await blocks.put_blob(place.to_write("a"), b"a")
    for _ in range(2):
        assert [item.name async for item in storage.list_objects(ACCOUNT, place.container)] == ["a"]
        storage.forget_key(ACCOUNT)


async def test_a_token_that_storage_does_not_accept_is_told_and_not_shown(
    access: Access, session: StorageSession, container_name: str
) -> None:
    credentials = PlainCredentials({"own": PlainCredential("no-token-of-this-tenant")})
    storage = _storage(access, session, credentials=credentials)
    for call in (
        storage.create_container(ACCOUNT, container_name, process_id=PROCESS),
        storage.mint_write_sas(ACCOUNT, container_name, policy_id="p", lifetime_seconds=60),
    ):
        with pytest.raises(IdentityTokenRefusedError, match="'own'") as refused:
            await call
        assert "no-token" not in str(refused.value)


async def test_a_signature_for_reading_and_listing_is_made_on_demand(
    storage: ObjectStorage, session: StorageSession, place: Place
) -> None:
    token = await storage.mint_read_sas(ACCOUNT, place.container, lifetime_seconds=60, listing=True)
    url = token.applied_to(place.endpoints.container_url(ACCOUNT, place.container))
    async with session.sdk.get(URL(url.secret_text("restype=container&comp=list"), encoded=True)) as answer:
        assert answer.status == 200
