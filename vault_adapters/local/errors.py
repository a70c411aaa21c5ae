"""What can go wrong with the key of the embedded vault, besides what every vault can say."""

from connector_spi.errors import VaultForbiddenError, VaultUnavailableError


class VaultKeyUnknownError(VaultForbiddenError):
    """The vault file was sealed with another key than those that were given."""

    code = "VaultKeyUnknown"
    cause = "the local vault was sealed with another key than the one that was given"
    remedy = "Let `vault.key_file` or `vault.key_env` name the key that the vault was created with or rotated to."


class VaultKeyAwaitedError(VaultUnavailableError):
    """The vault got a new key while this process ran, which does not have it yet."""

    code = "VaultKeyAwaited"
    cause = "the local vault got a new key while the process ran, and the process cannot read that key"
    remedy = (
        "It is tried again; transfers wait meanwhile. With `vault.key_file` look at the file and its mode; with "
        "`vault.key_env` restart the process with the variable that `connector vault rotate-key` was run with."
    )
