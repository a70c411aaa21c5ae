"""Stored access policies of a container: what signatures made with an account key can be revoked by."""

from dataclasses import dataclass
from typing import Final

from azure.storage.blob import AccessPolicy
from azure.storage.blob.aio import ContainerClient

from azure_storage.account_calls import AccountCalls
from azure_storage.errors import ContainerBeingDeletedError, ContainerNotFoundError, TooManyPoliciesError
from azure_storage.sas_signing import SasTerms

MAX_POLICIES: Final = 5
_OPERATION: Final = "Set Container ACL"


@dataclass(frozen=True, slots=True)
class StoredPolicies:
    """Sets and removes policies one by one. The others, and who may read the container without any, stay."""

    calls: AccountCalls

    async def set_policy(
        self, account: str, container: str, policy_id: str, permission: str, terms: SasTerms, *, key_name: str | None
    ) -> None:
        """Make the policy, or replace it.

        Raises:
            ContainerNotFoundError: no such container.
            TooManyPoliciesError: the container has its five policies already.
        """
        policy = AccessPolicy(permission=permission, start=terms.starts_at, expiry=terms.expires_at)

        async def put(client: ContainerClient) -> None:
            acl = await _read(client)
            acl.policies[policy_id] = policy
            if len(acl.policies) > MAX_POLICIES:
                raise TooManyPoliciesError(account=account, container=container, limit=MAX_POLICIES)
            await acl.write(client)

        await self.calls.run(_OPERATION, account, container, put, key_name=key_name)

    async def remove(self, account: str, container: str, policy_id: str, *, key_name: str | None) -> None:
        """Remove the policy; does nothing when it or the container is gone."""

        async def take_out(client: ContainerClient) -> None:
            acl = await _read(client)
            if acl.policies.pop(policy_id, None) is not None:
                await acl.write(client)

        try:
            await self.calls.run(_OPERATION, account, container, take_out, key_name=key_name)
        except (ContainerNotFoundError, ContainerBeingDeletedError):
            return


@dataclass(frozen=True, slots=True)
class _Acl:
    """The whole of it: the service replaces all of it at once, the public access too."""

    policies: dict[str, AccessPolicy]
    public_access: str | None

    async def write(self, client: ContainerClient) -> None:
        await client.set_container_access_policy(self.policies, public_access=self.public_access)


async def _read(client: ContainerClient) -> _Acl:
    found = await client.get_container_access_policy()
    policies = {each.id: each.access_policy or AccessPolicy() for each in found["signed_identifiers"]}
    return _Acl(policies, found["public_access"])
