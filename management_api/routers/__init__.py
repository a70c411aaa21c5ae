"""The paths of the management API, one module for each resource."""
