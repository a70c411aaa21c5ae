"""The commands: `processes` start, `config`, `vault` and `identity` prepare, the others call a running connector."""
