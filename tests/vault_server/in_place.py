"""A pytest plug-in: `-p tests.vault_server.in_place` has every test that starts the emulated Vault start the real one.

It is loaded before any test module, so that whoever imports `running_vault` gets the other function.
"""

import tests.emulated
from tests.vault_server.real_vault import running_real_vault

tests.emulated.running_vault = running_real_vault
