"""What control plane and data plane both must know of Azure Blob Storage.

`endpoints` and `address` say where things lie, `sas` and `account_keys` hold the credentials, `errors` is the
catalogue of what can go wrong, `markers` the words that a transfer leaves in the consumer's container, `containers`
does the control operations with the account key and lists (`listing`), `block_client` moves bytes with a SAS alone,
`copy_client` lets the service move them, `crc64` is the checksum of both. `signed_requests` sends what these two and
the listing ask for, on the connections of `http_pool`; `sas_refusal` and `copy_refusal` find out why, and by whom, a
request was refused.
"""
