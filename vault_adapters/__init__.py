"""The places where secrets may rest: one module or folder for each technology.

All of them implement `connector_spi.vault.Vault`. `settings` says which one and where, `factory` opens
it. Only composition code imports the concrete vaults.
"""
