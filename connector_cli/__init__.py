"""The `connector` command: composes control plane, data plane, vault and storage into processes."""
