"""Microsoft Entra ID: the identities that this connector has there, chosen by name and never by accident.

`settings` says what an identity is and how it proves itself, `credentials` opens it. Storage accounts and Key Vaults
name the identity that they are used with.
"""
