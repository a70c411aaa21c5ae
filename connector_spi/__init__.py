"""The words and ports that every package shares: no framework, no I/O, pydantic and the standard library only.

`data_address` says where data lies, `signaling` how a control plane talks to a data plane, `vault` where secrets
rest, `errors` what can go wrong, `clock` what time it is, `log_context` how facts are named in logs,
`outbound_addresses` which addresses of outsiders may be called.
"""
