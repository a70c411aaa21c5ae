"""Whether the server knows namespaces: one that does not ignores the name, and secrets rest where all see them."""

from contextlib import suppress
from typing import Any, Final

from connector_spi.errors import ConnectorError, VaultForbiddenError
from vault_adapters.hashicorp.connections import VaultAdapter

_ANSWER_IN_EVERY_STATE: Final = {"standbyok": "true", "perfstandbyok": "true"}


def check_namespace(adapter: VaultAdapter) -> None:
    """Ask the server, where a namespace is configured. Blocking; needs no token.

    A server that does not answer, or does not tell (OpenBao, a balancer that keeps health to itself), passes.

    Raises:
        VaultForbiddenError: it says that it is a Vault without an Enterprise licence.
    """
    if adapter.namespace and _edition_of(adapter) is False:
        raise VaultForbiddenError(
            "This Vault has no Enterprise licence and ignores vault.namespace: secrets would land in its one namespace."
            " Remove the setting, and separate connectors by vault.folder."
        )


def _edition_of(adapter: VaultAdapter) -> bool | None:
    """Whether the server calls itself an Enterprise one; None when it does not tell."""
    told: Any = None
    with suppress(ConnectorError, ValueError):
        told = adapter.get("/v1/sys/health", params=_ANSWER_IN_EVERY_STATE).json()
    enterprise = told.get("enterprise") if isinstance(told, dict) else None
    return enterprise if isinstance(enterprise, bool) else None
