"""The sections of docs/troubleshooting.md, and which errors stand in which."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """One section: the classes that it names, and all that live in its modules and in no other section by name."""

    title: str
    modules: tuple[str, ...] = ()
    classes: frozenset[str] = frozenset()


AREAS: Final = (
    Area(
        title="Keys, identities and signatures of storage",
        classes=frozenset(
            {
                "AccountKeyAwaitedError",
                "AccountKeyMalformedError",
                "AccountKeyNotPermittedError",
                "AuthenticationFailedError",
                "AuthorizationFailureError",
                "AuthorizationPermissionMismatchError",
                "DelegationKeyForbiddenError",
                "InsufficientAccountPermissionsError",
                "SasExpiredError",
                "SasMalformedError",
                "SasNotYetValidError",
                "SasRevokedError",
                "SasSignatureMismatchError",
                "SignatureNotHonouredYetError",
                "TooManyPoliciesError",
            }
        ),
    ),
    Area(title="Receipts", modules=("azure_storage.receipt_errors", "azure_storage.receipt_signature")),
    Area(title="Storage", modules=("azure_storage",)),
    Area(
        title="Vaults",
        modules=("vault_adapters",),
        classes=frozenset(
            {
                "AuthenticationUnavailableError",
                "SealedAddressError",
                "SecretNotFoundError",
                "VaultForbiddenError",
                "VaultSealedError",
                "VaultThrottledError",
                "VaultUnavailableError",
            }
        ),
    ),
    Area(
        title="Identities: who is calling",
        modules=("entra_identity", "control_plane.adapters.jwt_identity", "control_plane.protocol_api.authentication"),
        classes=frozenset({"InvalidGrantError", "UnauthenticatedError"}),
    ),
    Area(
        title="Addresses and counterparties",
        modules=("control_plane.adapters.version_directory", "outbound_http"),
        classes=frozenset(
            {"CrossingMessageError", "ForbiddenAddressError", "PeerRefusedError", "PeerUnavailableError"}
        ),
    ),
    Area(
        title="Offers and policies",
        modules=(
            "control_plane.domain.policy_denial",
            "control_plane.services.negotiation_decisions",
            "control_plane.services.policy_engine",
        ),
    ),
    Area(
        title="Configuration and commands",
        modules=("connector_cli",),
        classes=frozenset({"ConfigurationError"}),
    ),
    Area(
        title="Database and leases",
        classes=frozenset({"LeaseLostError", "StaleDataFlowError", "StoreUnavailableError"}),
    ),
    Area(
        title="Credentials of running transfers",
        modules=("control_plane.domain.credential_renewal", "data_plane.ports"),
    ),
    Area(title="Transfers in the control plane", modules=("control_plane",)),
    Area(
        title="Data addresses over HTTP and files",
        modules=(
            "data_plane.adapters.http_errors",
            "data_plane.adapters.local_file_errors",
            "data_plane.adapters.local_file_source",
        ),
    ),
    Area(
        title="Uploads and downloads at a data plane",
        modules=("data_plane.domain.inbox_errors", "data_plane.signaling_api"),
        classes=frozenset({"TooManyReadsError"}),
    ),
    Area(title="Data plane", modules=("data_plane",)),
    Area(title="Requests to the APIs", modules=("connector_spi", "management_api")),
)
"""In the order of the page. An error that no area names by its class belongs to the first that has its module."""
