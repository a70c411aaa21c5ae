"""Decides what happens to a transfer: contracts, the TransferProcess state machine, provisioning, both protocols.

`domain` holds facts and rules, `ports` what the services need from outside, `services` the use cases and the loops,
`adapters` one technology each, `protocol_api` and `signaling_api` the two HTTP edges, `bootstrap` wires them.
"""
