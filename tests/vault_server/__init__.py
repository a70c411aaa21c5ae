"""A real HashiCorp Vault for the tests of its adapter, built from its Go module: `make vault-server`."""
