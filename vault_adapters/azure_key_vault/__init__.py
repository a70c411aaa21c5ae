"""Azure Key Vault.

`vault` is the adapter, `names` and `values` are how aliases and texts look there, `soft_deletion` is what a deleted
name needs, `calls` the limit of time and the repetitions, `errors` the SDK's errors as those of the port.
"""

from vault_adapters.azure_key_vault.vault import AzureKeyVault, open_key_vault

__all__ = ["AzureKeyVault", "open_key_vault"]
