"""For the errors that people meet most: what to look at, the likeliest first. Shown after cause and remedy."""

from collections.abc import Mapping
from typing import Final

CHECKS: Final[Mapping[str, tuple[str, ...]]] = {
    "ContainerNotFound": (
        "The name: 3 to 63 of a-z, 0-9 and hyphen. `az storage container list --account-name NAME` shows those there.",
        (
            "The account: with more than one endpoint configured, look which one the account resolves to "
            "(`storage.endpoint_template`, `storage.accounts`)."
        ),
        "The provider's source: the asset's data address names a container of the provider's own account.",
        "The consumer's destination: somebody deleted it during the transfer, or it was deprovisioned.",
        "An existing container is never created: with `managedResources` false it has to be there before.",
    ),
    "AuthenticationFailed": (
        (
            "A stale copy: the vault holds a key that was right once. Compare its beginning with `az storage account "
            "keys list`; a cached one is read again after `vault.cache_seconds`."
        ),
        (
            "Stray white space: a line end or blank that came along when the key was pasted. Store it again: "
            "`connector vault set ALIAS --config FILE < FILE-WITH-KEY`."
        ),
        (
            "A rotated key: both keys of the account were made anew. Signatures made with the old one end with it; "
            "store the new key, then request the transfer again."
        ),
        "Another account's key: look which alias the account uses (`storage.accounts`, else the account's name).",
        (
            "Clock skew: Azure refuses what is more than 15 minutes off. Compare `date -u` with the Date header of "
            "any answer, and let NTP run."
        ),
        "An endpoint that is not the account's: a key signs for the account's name as well.",
    ),
    "AuthorizationPermissionMismatch": (
        (
            "A signature lacks the permission: the destination's needs create, write and list; the read-only source's"
            " needs read and list."
        ),
        (
            "An identity lacks the role. To write: Storage Blob Data Contributor; to read: Storage Blob Data Reader. "
            "Held on the account, either may make delegation signatures; held on a container alone, Storage Blob "
            "Delegator on the account is needed besides. Owner and Contributor of the account give no right to the "
            "data."
        ),
        "The role was assigned a moment ago: it may take ten minutes to count.",
        (
            "The role is on another scope: container, account or subscription. `az role assignment list --scope ...` "
            "shows."
        ),
        "A delegation signature has no more rights than the identity that signed it.",
    ),
    "AuthorizationFailure": (
        "The account's firewall: `az storage account show --query networkRuleSet` lists who gets in.",
        "A signature that is limited to addresses or to https.",
        "A stored access policy that was removed: ask for a fresh signature.",
    ),
    "SasNotYetValid": (
        (
            "Compare `date -u` on the machine that issued the signature with the Date header of an answer of the "
            "storage service; let NTP run on both sides."
        ),
    ),
    "SasExpired": (
        (
            "The consumer's `storage.sas_seconds` (identity: `storage.delegation_sas_seconds`) is shorter than the "
            "transfer, and its control plane was not there to renew."
        ),
        "Clock skew: a clock that is fast makes signatures end early.",
    ),
    "VaultSealed": (
        "`vault status` (with VAULT_ADDR) tells sealed and initialized; `vault operator unseal` takes one key share.",
        "After each restart a vault is sealed again; auto-unseal avoids that.",
        "No transfer is lost: steps that need a secret are repeated until their deadlines (`transfer` settings).",
    ),
    "VaultForbidden": (
        (
            "The token has expired or was revoked: `vault token lookup`. With `vault.login` by approle, kubernetes or"
            " jwt the connector logs in anew; a fixed token it can only renew, so put a new one into its file or "
            "variable."
        ),
        "A secret id, service account token or role that has ended or is not bound to this machine.",
        (
            "The policy: it needs create, read, update and delete on MOUNT/data/FOLDER/*, and read, list and delete "
            "on MOUNT/metadata/FOLDER/*."
        ),
        "Mount, folder and namespace as the vault spells them (`vault.mount`, `vault.folder`, `vault.namespace`).",
        (
            "Local vault: another key than the one the file was sealed with, or a file that was altered: restore both"
            " from one backup."
        ),
    ),
    "SecretNotFound": (
        "`connector vault list --config FILE` shows the aliases as the connector sees them.",
        "An account key is looked for under the alias of the account's settings, else NAME-key1 and NAME.",
        (
            "Another vault, mount or folder than the one that was filled: `vault` settings and CONNECTOR_VAULT__* "
            "variables."
        ),
        "A memory vault is empty after each start.",
    ),
    "ForbiddenAddress": (
        (
            "A counterparty inside your own network: name its host in `outbound.allowed_hosts`, or its network in "
            "`outbound.allowed_networks`."
        ),
        "The data plane has its own guard: `data_plane.outbound.allowed_hosts` and so on.",
        "http:// addresses: `outbound.allow_http`, for development.",
        "A public name that resolves to a private address is refused too: look at what DNS answers on this machine.",
    ),
    "Unauthenticated": (
        (
            "Management API: the header is X-Api-Key; its value rests under `management.api_key_alias`. After a "
            "change in the vault no restart is needed."
        ),
        (
            "Counterparty: it needs our public key (`connector identity show`), we need its (`public_key_file`), and "
            "both the other's participant id."
        ),
        (
            "Clock skew: tokens live a minute (`identity.token_seconds`); `identity.clock_skew_seconds` says what is "
            "forgiven."
        ),
    ),
    "Configuration": (
        (
            "A port that is taken: `ss -ltnp` shows by whom. Set another `port` in the listener's table, such as "
            "`management.port`, `protocol.port`, `signaling.port` or `data_plane.port`."
        ),
        "A key that is spelled wrong is refused, not ignored: compare it with the tables in deploy/*.toml.",
        "Environment variables count before the file: `env | grep CONNECTOR_`.",
    ),
    "ReceiptUnsigned": (
        (
            "`data_plane.receipt_signing_key_alias` at the provider names no key, or the vault of its data plane does"
            " not hold it."
        ),
    ),
    "ReceiptSignerUnknown": (
        "The provider made a new key (`connector identity create --replace`) and you still have the old one.",
        "The key that you have is that of another participant: compare ids.",
    ),
}
"""Code of the error -> one line for each thing to look at."""
