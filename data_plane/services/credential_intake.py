"""Takes in addresses that hold a secret: it goes to the vault, under a name that we choose."""

import hashlib
import logging
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from connector_spi.data_address import KEY_NAME, SECRET, SECRET_PROPERTIES, DataAddress
from connector_spi.errors import ConnectorError, InvalidInputError
from connector_spi.vault import Vault
from connector_spi.vault_access import vault_purpose
from data_plane.domain.data_flow import DataFlow
from data_plane.ports.data_flow_store import DataFlowStore
from data_plane.ports.secret_ledger import SecretLedger, SecretOwner

_log = logging.getLogger(__name__)

_TOKENS: Final = ("authorization", "refreshToken")
"""What opens the address of an HTTP pull, and what renews that."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9._-]{1,150}")


def vault_alias(flow_id: str, purpose: str) -> str:
    """`data-flow-<id>-<purpose>`; an id that a vault would not take is hashed."""
    safe = flow_id if _PLAIN.fullmatch(flow_id) else hashlib.sha256(flow_id.encode()).hexdigest()
    return f"data-flow-{safe}-{purpose}"


@dataclass(frozen=True, slots=True)
class TakenAddress:
    """An address that is safe to persist, and what has to go to the vault for it: secrets by alias."""

    address: DataAddress
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


def taken(flow_id: str, address: DataAddress, *, purpose: str, tokens: bool = False) -> TakenAddress:
    """The address with the alias of its inline `secret`, if there is one, in the secret's place. Stores nothing.

    `tokens`: whether the bearer tokens of an HTTP address may be there too; named by alias as `<property>KeyName`.

    Raises:
        InvalidInputError: the address holds a secret under another property's name.
    """
    aliases = {SECRET: (vault_alias(flow_id, purpose), KEY_NAME)}
    if tokens:
        aliases |= {name: (vault_alias(flow_id, f"{purpose}-{name}"), f"{name}KeyName") for name in _TOKENS}
    found = SECRET_PROPERTIES.intersection(address.properties)
    unknown = sorted(found - set(aliases))
    if unknown:
        raise InvalidInputError(
            field=f"{purpose}.{unknown[0]}",
            value="***",
            problem="is a secret that this address type does not know",
            remedy=f"Send the credential as {SECRET!r}, or name its vault alias as {KEY_NAME!r}.",
        )
    kept = {name: aliases[name] for name in found if address.get(name)}
    named = address.without(*found).with_properties(**{key: alias for alias, key in kept.values()})
    return TakenAddress(named, {alias: address.get(name) for name, (alias, _) in kept.items()})


@dataclass(frozen=True, slots=True)
class CredentialIntake:
    """Moves secrets into the vault, and back out when nobody is left to delete them."""

    vault: Vault
    store: DataFlowStore
    ledger: SecretLedger

    async def keep(self, flow_id: str, secrets: Mapping[str, str]) -> None:
        """Store the secrets for a flow that is there already.

        Raises:
            InvalidInputError, VaultForbiddenError, VaultUnavailableError: the vault refused or did not answer.
            StoreUnavailableError: the ledger could not be written; nothing was stored.
        """
        if secrets:
            # First, so that a secret whose flow is never written is known to be ours.
            await self.ledger.note(SecretOwner.DATA_FLOW, flow_id, secrets.keys())
        with vault_purpose(f"addresses of data flow {flow_id}"):
            for alias, secret in secrets.items():
                await self.vault.store(alias, secret)

    async def forget(self, secrets: Mapping[str, str]) -> None:
        """Delete secrets that were stored for a flow which had ended by then.

        Raises:
            VaultForbiddenError, VaultUnavailableError: the vault refused or did not answer.
        """
        for alias in secrets:
            await self.vault.delete(alias)

    async def forget_all(self, flow: DataFlow) -> None:
        """Delete every secret of a flow that has ended: those that it knows, and those of a change that was not saved.

        Raises:
            VaultForbiddenError, VaultUnavailableError, StoreUnavailableError: vault or ledger did not answer.
        """
        noted = await self.ledger.of(SecretOwner.DATA_FLOW, flow.id)
        for alias in sorted({*flow.vault_aliases, *noted}):
            await self.vault.delete(alias)
        await self.ledger.strike(noted)

    @asynccontextmanager
    async def keeping(self, flow_id: str, secrets: Mapping[str, str]) -> AsyncIterator[None]:
        """Store the secrets for a flow that the block adds; delete them again when the block failed to.

        Raises:
            InvalidInputError, VaultForbiddenError, VaultUnavailableError: as for `keep`.
        """
        try:
            await self.keep(flow_id, secrets)
            yield
        except BaseException:
            await self._withdraw(flow_id, secrets)
            raise

    async def _withdraw(self, flow_id: str, secrets: Mapping[str, str]) -> None:
        try:
            flow = await self.store.find(flow_id)
            if flow is not None and not flow.is_final:
                # Added by another process, or before a cancellation came: the secrets are the flow's now.
                return
            for alias in secrets:
                await self.vault.delete(alias)
        except ConnectorError as error:
            _log.error(
                "secrets without a flow may be left in the vault",
                extra={"data_flow_id": flow_id, "aliases": sorted(secrets), "reason": error.message},
            )
