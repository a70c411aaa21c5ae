"""What operators are afraid of, done in the middle of running transfers, with every process a real one.

Two connectors, a data plane on its own, Azurite, and Vault, Key Vault and Entra ID as servers: they are taken away,
sealed, throttled; their tokens, secrets and keys are replaced. The transfer completes, nobody is restarted, and no
secret of it is left anywhere. `hygiene` says where that is looked for.
"""
