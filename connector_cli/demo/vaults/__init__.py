"""The vaults that the demo can be played with: what each organisation keeps its secrets in, and opens its storage with.

`kind` are their names, `furniture` what each of them brings, `local`, `hashicorp` and `azure_key_vault` bring it.
"""
