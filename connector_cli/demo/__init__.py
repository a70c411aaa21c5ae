"""`connector demo`: two organisations on this machine, real processes, real storage, six transfers.

`sample_files` are what is moved, `organisation` one side's configuration, vault and storage account, `processes` the
three connectors, `narrator` tells the steps as the processes log them, `parts`, `terms` and `existing_container` are
the transfers, `slow_data_plane` gives them a middle, `checklist` is what was promised and whether it held. `vaults` are
what the same demo can be played with, `emulator` starts the programs that play them, `account_keys` looks for keys
where there may be none.
"""
