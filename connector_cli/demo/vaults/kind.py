"""Names of the vaults. The command line knows nothing else of them before the demo begins."""

from enum import StrEnum


class VaultKind(StrEnum):
    """As `[vault]` of a configuration names them."""

    LOCAL = "local"
    HASHICORP = "hashicorp"
    AZURE_KEY_VAULT = "azure-key-vault"
