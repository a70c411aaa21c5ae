"""CredentialIntake: moves a secret that arrives inside an address into the vault, under a name that we choose."""

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from connector_spi.data_address import KEY_NAME, SECRET, SECRET_PROPERTIES, DataAddress
from connector_spi.errors import InvalidInputError
from connector_spi.vault import Vault

_PLAIN: Final = re.compile(r"[A-Za-z0-9._-]{1,150}")


def vault_alias(flow_id: str, purpose: str) -> str:
    """`data-flow-<id>-<purpose>`; an id that a vault would not take is hashed."""
    safe = flow_id if _PLAIN.fullmatch(flow_id) else hashlib.sha256(flow_id.encode()).hexdigest()
    return f"data-flow-{safe}-{purpose}"


@dataclass(frozen=True, slots=True)
class TakenAddress:
    """An address that is safe to persist, and what was put into the vault for it."""

    address: DataAddress
    vault_aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CredentialIntake:
    """Takes addresses in."""

    vault: Vault

    async def take(self, flow_id: str, address: DataAddress, *, purpose: str) -> TakenAddress:
        """Move the inline `secret`, if there is one, to the vault; the address then names its alias.

        Raises:
            InvalidInputError: the address holds a secret under another property's name.
            VaultForbiddenError, VaultUnavailableError: nothing was stored.
        """
        unknown = sorted(SECRET_PROPERTIES.intersection(address.properties) - {SECRET})
        if unknown:
            raise InvalidInputError(
                field=f"{purpose}.{unknown[0]}",
                value="***",
                problem="is a secret that this address type does not know",
                remedy=f"Send the credential as {SECRET!r}, or name its vault alias as {KEY_NAME!r}.",
            )
        secret = address.get(SECRET)
        if not secret:
            return TakenAddress(address.without(SECRET))
        alias = vault_alias(flow_id, purpose)
        await self.vault.store(alias, secret)
        return TakenAddress(address.without(SECRET).with_properties(**{KEY_NAME: alias}), (alias,))
