"""Stored access policies in containers that are not ours alone: what others set there stays."""

from datetime import UTC, datetime, timedelta

import pytest
from azure.storage.blob import AccessPolicy, PublicAccess
from azure.storage.blob.aio import ContainerClient

from azure_storage.containers import ObjectStorage
from azure_storage.session import STORAGE_API_VERSION
from tests.integration.azure_storage.conftest import ACCOUNT, Access

pytestmark = pytest.mark.azurite


@pytest.fixture
def theirs(access: Access, container_name: str) -> ContainerClient:
    """A container of somebody else, through the plain SDK."""
    return ContainerClient(
        access.endpoints.account_url(ACCOUNT),
        container_name,
        credential={"account_name": ACCOUNT, "account_key": access.keys[ACCOUNT]},
        api_version=STORAGE_API_VERSION,
    )


@pytest.mark.parametrize("public", [None, PublicAccess.CONTAINER, PublicAccess.BLOB])
async def test_policies_and_public_access_of_others_stay(
    storage: ObjectStorage, theirs: ContainerClient, container_name: str, public: PublicAccess | None
) -> None:
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    own = AccessPolicy(permission="r", start=end - timedelta(days=2), expiry=end)
    async with theirs:
        await theirs.create_container()
        await theirs.set_container_access_policy({"theirs": own}, public_access=public)
        before = await theirs.get_container_access_policy()

        await storage.mint_write_sas(ACCOUNT, container_name, policy_id="ours", lifetime_seconds=600)
        await storage.mint_write_sas(ACCOUNT, container_name, policy_id="ours", lifetime_seconds=900)
        minted = await theirs.get_container_access_policy()
        assert minted["public_access"] == before["public_access"] == (public.value if public else None)
        assert sorted(each.id for each in minted["signed_identifiers"]) == ["ours", "theirs"]

        await storage.revoke_sas(ACCOUNT, container_name, policy_id="ours")
        revoked = await theirs.get_container_access_policy()
    assert revoked["public_access"] == before["public_access"]
    [left] = revoked["signed_identifiers"]
    [was] = before["signed_identifiers"]
    assert (left.id, left.access_policy.permission, left.access_policy.expiry) == (
        "theirs",
        was.access_policy.permission,
        was.access_policy.expiry,
    )
