"""Services of others, played on loopback for the demo and the tests: never part of what is installed.

Each is a program (`python -m emulators.NAME --help`), so that it can be started, killed and made to fail like the real
one. Azurite, which plays Azure Storage, is in `deploy/azurite`.
"""
