"""What control plane and data plane both must know of Azure Blob Storage.

`endpoints` and `address` say where things lie, `sas` and `account_keys` hold the credentials, `errors` is the
catalogue of what can go wrong, `markers` the words that a transfer leaves in the consumer's container, `containers`
does the control operations with the account key, `block_client` moves bytes with a SAS alone.
"""
