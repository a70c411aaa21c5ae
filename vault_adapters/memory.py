"""A vault that forgets everything when the process ends: for tests and for trying things out."""

from connector_spi.errors import SecretNotFoundError
from vault_adapters.aliases import checked_alias, checked_value


class InMemoryVault:
    """Implements `connector_spi.vault.Vault` in this process alone.

    Nothing is durable and nothing is encrypted, and a data plane in another process does not see it: for tests
    and development only. Vaults that were given the same `secrets` share them.
    """

    def __init__(self, secrets: dict[str, str] | None = None) -> None:
        self._secrets = {} if secrets is None else secrets

    async def resolve(self, alias: str) -> str:
        """The secret's value; errors as for the port, except that this vault is always there."""
        try:
            return self._secrets[checked_alias(alias)]
        except KeyError:
            raise SecretNotFoundError(alias=alias) from None

    async def store(self, alias: str, value: str) -> None:
        """Store or replace."""
        self._secrets[checked_alias(alias)] = checked_value(value)

    async def delete(self, alias: str) -> None:
        """Remove the secret, if it is there."""
        self._secrets.pop(checked_alias(alias), None)

    async def aliases(self, prefix: str = "") -> list[str]:
        """Every alias that starts with `prefix`, sorted."""
        return sorted(alias for alias in self._secrets if alias.startswith(prefix))

    def forget(self, alias: str) -> None:
        """Nothing is kept beside the secrets themselves."""

    async def aclose(self) -> None:
        """Nothing to release: the secrets stay with whoever shares them."""
