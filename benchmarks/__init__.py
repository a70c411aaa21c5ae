"""Compares this connector's data plane with the usual ways of copying blobs: `make benchmark`.

`shapes`: what is copied. `servers`: what it is copied on, Azurite or the stub in `stub/` (a server in Go that costs
next to nothing). `stage`: one pair of containers on such a server, filled, and checked after the copy. `clients`: who
copies. `measurement`: what a run of a client's process took. `runner`: runs them by turns. `summary` and `report`:
medians, ratios, tables.

A tool for developers: it is not part of the wheel, and nothing imports it but its tests.
"""
