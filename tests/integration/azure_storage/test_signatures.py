from datetime import UTC, datetime, timedelta

import pytest
from yarl import URL

from azure_storage.account_access import SharedKey
from azure_storage.block_client import BlockBlobClient
from azure_storage.containers import ObjectStorage, Tags
from azure_storage.endpoints import StorageEndpoints
from azure_storage.errors import (
    AuthorizationFailureError,
    AuthorizationPermissionMismatchError,
    BlobLeasedError,
    ContainerNotFoundError,
    SasExpiredError,
    SasNotYetValidError,
    TooManyPoliciesError,
)
from azure_storage.sas import SasToken
from azure_storage.sas_signing import SasSigner, SasTerms
from azure_storage.session import StorageSession
from connector_cli.azurite import new_account_key
from tests.conftest import AzuriteForTests
from tests.integration.azure_storage.conftest import ACCOUNT, BY_KEY_AND_BY_IDENTITY, Place, object_storage

pytestmark = pytest.mark.azurite


@BY_KEY_AND_BY_IDENTITY
async def test_a_write_signature_does_not_read(blocks: BlockBlobClient, place: Place) -> None:
    etag = await blocks.put_blob(place.to_write("a"), b"secret content")
    with pytest.raises(AuthorizationPermissionMismatchError):
        await blocks.get_range(place.to_write("a"), offset=0, length=6, if_match=etag)


@BY_KEY_AND_BY_IDENTITY
@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("HEAD", "/a", ""),
        ("DELETE", "/a", ""),
        ("GET", "/a", "comp=blocklist"),
        ("GET", "", "restype=container&comp=list"),
        ("DELETE", "", "restype=container"),
        ("GET", "", "restype=container&comp=acl"),
        ("GET", "", "restype=container"),
    ],
)
async def test_a_write_signature_does_nothing_but_write(
    session: StorageSession, place: Place, method: str, path: str, query: str
) -> None:
    url = place.write.applied_to(place.endpoints.container_url(ACCOUNT, place.container) + path)
    async with session.sdk.request(method, URL(url.secret_text(query), encoded=True)) as answer:
        assert answer.status == 403


@BY_KEY_AND_BY_IDENTITY
async def test_a_write_signature_holds_for_its_container_alone(
    storage: ObjectStorage, blocks: BlockBlobClient, place: Place
) -> None:
    other = f"{place.container[:40]}-other"
    await storage.create_container(ACCOUNT, other, process_id="process-2")
    with pytest.raises(AuthorizationFailureError):
        await blocks.put_blob(place.write.applied_to(place.endpoints.blob_url(ACCOUNT, other, "a")), b"a")


async def test_a_revoked_signature_is_refused_and_revoking_may_be_repeated(
    storage: ObjectStorage, blocks: BlockBlobClient, place: Place
) -> None:
    await blocks.put_blob(place.to_write("before"), b"a")
    for _ in range(2):
        await storage.revoke_sas(ACCOUNT, place.container, policy_id="transfer")
    with pytest.raises(AuthorizationFailureError, match=r"which of these it is: .*revoked.*network rules") as refused:
        await blocks.put_blob(place.to_write("after"), b"a")
    assert "expired" not in refused.value.message


async def test_revoking_one_signature_leaves_the_others(
    storage: ObjectStorage, blocks: BlockBlobClient, place: Place
) -> None:
    await storage.mint_write_sas(ACCOUNT, place.container, policy_id="other", lifetime_seconds=600)
    await storage.revoke_sas(ACCOUNT, place.container, policy_id="other")
    assert await blocks.put_blob(place.to_write("a"), b"a")


async def test_revoking_in_a_container_that_is_gone_is_fine(storage: ObjectStorage, container_name: str) -> None:
    await storage.revoke_sas(ACCOUNT, container_name, policy_id="transfer")
    with pytest.raises(ContainerNotFoundError):
        await storage.mint_write_sas(ACCOUNT, container_name, policy_id="transfer", lifetime_seconds=600)


@BY_KEY_AND_BY_IDENTITY
async def test_an_expired_signature_is_told_apart_from_a_revoked_one(
    storage: ObjectStorage, blocks: BlockBlobClient, place: Place
) -> None:
    expired = await storage.mint_write_sas(ACCOUNT, place.container, policy_id="short", lifetime_seconds=-1)
    with pytest.raises(SasExpiredError):
        await blocks.put_blob(expired.applied_to(place.endpoints.blob_url(ACCOUNT, place.container, "a")), b"a")


async def test_a_signature_that_is_not_valid_yet_is_told(
    endpoints: StorageEndpoints, azurite: AzuriteForTests, blocks: BlockBlobClient, place: Place
) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    terms = SasTerms(tomorrow, tomorrow + timedelta(days=1), https_only=False)
    signer = SasSigner(ACCOUNT, SharedKey(azurite.keys[ACCOUNT]), terms)
    early = signer.for_container(place.container, "r")
    with pytest.raises(SasNotYetValidError, match="not valid yet"):
        await blocks.get_range(
            early.applied_to(endpoints.blob_url(ACCOUNT, place.container, "a")), offset=0, length=1, if_match='"0x1"'
        )


async def test_a_signature_of_another_key_is_told_with_the_causes_that_remain(
    endpoints: StorageEndpoints, blocks: BlockBlobClient, place: Place
) -> None:
    terms = SasTerms.from_now(datetime.now(UTC), lifetime_seconds=600, https_only=False)
    stale = SasSigner(ACCOUNT, SharedKey(new_account_key()), terms).for_container(place.container, "r")
    with pytest.raises(AuthorizationFailureError, match="its account key was rotated") as refused:
        await blocks.get_range(
            stale.applied_to(endpoints.blob_url(ACCOUNT, place.container, "a")), offset=0, length=1, if_match='"0x1"'
        )
    assert "revoked (" not in refused.value.message
    assert stale.query.split("sig=")[1][:8] not in refused.value.message


@BY_KEY_AND_BY_IDENTITY
async def test_minting_again_prolongs_what_was_staged_under_the_first_signature(
    storage: ObjectStorage, blocks: BlockBlobClient, place: Place
) -> None:
    url = place.endpoints.blob_url(ACCOUNT, place.container, "a")
    await blocks.put_block(place.to_write("a"), "1", b"staged")
    first = await storage.mint_write_sas(ACCOUNT, place.container, policy_id="transfer", lifetime_seconds=-1)
    with pytest.raises(SasExpiredError):
        await blocks.put_block_list(first.applied_to(url), ["1"])
    again = await storage.mint_write_sas(ACCOUNT, place.container, policy_id="transfer", lifetime_seconds=600)
    assert await blocks.put_block_list(again.applied_to(url), ["1"])


@BY_KEY_AND_BY_IDENTITY
async def test_a_signature_that_allows_tags_is_still_for_writing_alone(
    storage: ObjectStorage, session: StorageSession, blocks: BlockBlobClient, place: Place
) -> None:
    token = await storage.mint_write_sas(
        ACCOUNT, place.container, policy_id="tagging", lifetime_seconds=600, allow_tags=True
    )
    url = token.applied_to(place.to_write("a").url)
    etag = await blocks.put_blob(url, b"a", tags={"project": "x"})
    assert (await storage.get_object(ACCOUNT, place.container, "a", tags=Tags.REQUIRE)).tags == {"project": "x"}
    body = b'<?xml version="1.0" encoding="utf-8"?><Tags><TagSet></TagSet></Tags>'
    async with session.sdk.put(URL(url.secret_text("comp=tags"), encoded=True), data=body) as answer:
        assert answer.status == 204
    without = place.to_write("a")
    async with session.sdk.put(URL(without.secret_text("comp=tags"), encoded=True), data=body) as answer:
        assert answer.status == 403
    with pytest.raises(AuthorizationPermissionMismatchError):
        await blocks.get_range(url, offset=0, length=1, if_match=etag)


async def test_minting_again_takes_no_further_policy(storage: ObjectStorage, place: Place) -> None:
    for _ in range(6):
        await storage.mint_write_sas(ACCOUNT, place.container, policy_id="transfer", lifetime_seconds=600)
    for number in range(4):
        await storage.mint_write_sas(ACCOUNT, place.container, policy_id=f"more-{number}", lifetime_seconds=600)
    with pytest.raises(TooManyPoliciesError):
        await storage.mint_write_sas(ACCOUNT, place.container, policy_id="sixth", lifetime_seconds=600)


@BY_KEY_AND_BY_IDENTITY
async def test_a_write_signature_survives_the_vault(blocks: BlockBlobClient, place: Place) -> None:
    token = SasToken.from_secret(place.write.to_secret())
    url = token.applied_to(place.endpoints.blob_url(ACCOUNT, place.container, "a"))
    assert await blocks.put_blob(url, b"a")
    assert token.expires_at == place.write.expires_at


@BY_KEY_AND_BY_IDENTITY
async def test_a_read_signature_for_one_blob_reads_no_other_and_writes_nothing(
    storage: ObjectStorage, blocks: BlockBlobClient, place: Place
) -> None:
    etags = {name: await blocks.put_blob(place.to_write(name), b"abc") for name in ("a/ü 1", "b")}
    token = await storage.mint_read_sas(ACCOUNT, place.container, blob_name="a/ü 1", lifetime_seconds=600)
    url = token.applied_to(place.endpoints.blob_url(ACCOUNT, place.container, "a/ü 1"))
    assert await blocks.get_range(url, offset=0, length=3, if_match=etags["a/ü 1"]) == b"abc"
    assert token.permissions == "r"
    other = token.applied_to(place.endpoints.blob_url(ACCOUNT, place.container, "b"))
    with pytest.raises(AuthorizationFailureError):
        await blocks.get_range(other, offset=0, length=3, if_match=etags["b"])
    with pytest.raises(AuthorizationPermissionMismatchError):
        await blocks.put_blob(url, b"x", overwrite=True)


@BY_KEY_AND_BY_IDENTITY
async def test_a_read_signature_for_the_container_does_not_list(session: StorageSession, place: Place) -> None:
    url = place.read.applied_to(place.endpoints.container_url(ACCOUNT, place.container))
    async with session.sdk.get(URL(url.secret_text("restype=container&comp=list"), encoded=True)) as answer:
        assert answer.status == 403


async def test_signatures_are_limited_to_tls_where_the_endpoint_is(
    secrets: dict[str, str], session: StorageSession, place: Place
) -> None:
    over_tls = object_storage(StorageEndpoints(), secrets, session)
    token = await over_tls.mint_read_sas(ACCOUNT, place.container, lifetime_seconds=600)
    assert "spr=https" in token.query.split("&")
    assert "spr" not in place.read.query
    assert "spr" not in place.write.query


@BY_KEY_AND_BY_IDENTITY
async def test_a_blob_that_somebody_leased_is_reported_as_leased(
    session: StorageSession, blocks: BlockBlobClient, place: Place
) -> None:
    await blocks.put_blob(place.to_write("a"), b"a")
    lease = {"x-ms-lease-action": "acquire", "x-ms-lease-duration": "-1"}
    async with session.sdk.put(
        URL(place.to_write("a").secret_text("comp=lease"), encoded=True), headers=lease
    ) as answer:
        assert answer.status == 201
    with pytest.raises(BlobLeasedError):
        await blocks.put_blob(place.to_write("a"), b"b", overwrite=True)
