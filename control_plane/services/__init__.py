"""Use cases and loops: they speak to ports only.

A Service answers one request; a Manager works on entities in a loop; the protocol services take what counterparties
send. Nobody but the managers changes a stored process: everybody else puts a message into its inbox.
"""
