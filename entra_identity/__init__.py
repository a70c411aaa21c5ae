"""Microsoft Entra ID: the identities that this connector has there, chosen by name and never by accident.

`settings` says what an identity is and how it proves itself, `credentials` holds all of them by name, `credential` is
one as the Azure SDKs take it, `proofs`, `client_secrets` and `kinds` open it, `errors` are azure-identity's in our
words. Storage accounts and Key Vaults name the identity that they are used with.
"""
