"""`connector demo`: two organisations on this machine, real processes, real storage, six transfers.

`sample_files` are what is moved, `organisation` one side's configuration, vault and storage account, `processes` the
three connectors, `narrator` tells the steps as the processes log them, `parts` and `terms` are the transfers,
`checklist` what was promised and whether it held.
"""
