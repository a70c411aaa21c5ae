"""HashiCorp Vault and OpenBao: KV version 2, through hvac.

`vault` is the adapter; `session` keeps it logged in by one of `logins`; `calls` takes blocking calls off the event
loop, over `connections`; `engine`, `tokens` and `namespaces` are those calls; `names` says where an alias rests,
`errors` what an answer means.
"""

from vault_adapters.hashicorp.vault import HashiCorpVault, open_hashicorp_vault

__all__ = ["HashiCorpVault", "open_hashicorp_vault"]
