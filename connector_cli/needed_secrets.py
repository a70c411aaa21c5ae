"""The secrets that the vault must hold before a process starts, each by the setting that names it."""

from collections.abc import Iterator, Mapping
from typing import Final

from connector_cli.configuration import InvalidConfigurationError
from connector_cli.settings import ConnectorSettings
from connector_spi.errors import ConfigurationError, SecretNotFoundError
from connector_spi.vault import Vault
from connector_spi.vault_access import resolved
from control_plane.bootstrap.identity_rules import needs_signing_key
from control_plane.settings import DataPlaneEndpointSettings
from entra_identity.settings import ClientSecretSettings

_SIGNING_KEY: Final = "identity.signing_key_alias"


def secrets_of_connector(settings: ConnectorSettings) -> dict[str, str]:
    """The vault aliases without which `connector run` cannot do its work, by setting."""
    found = _of_identity(settings) | _of_azure(settings)
    if not settings.management.insecure_no_auth:
        found["management.api_key_alias"] = settings.management.api_key_alias
    for index, plane in enumerate(settings.data_planes):
        found |= _of_endpoint(f"data_planes[{index}]", plane)
    if settings.embedded_data_plane:
        found |= _of_embedded(settings)
    return found


def secrets_of_data_plane(settings: ConnectorSettings) -> dict[str, str]:
    """The vault aliases without which `connector data-plane` cannot do its work, by setting."""
    own, tokens = settings.data_plane, settings.data_plane.control_plane_tokens
    found = {
        "data_plane.signaling_token_alias": "" if own.insecure_no_auth else own.signaling_token_alias,
        # Client credentials count before the shared token.
        "data_plane.callback_token_alias": "" if tokens.token_endpoint else own.callback_token_alias,
        "data_plane.receipt_signing_key_alias": own.receipt_signing_key_alias,
    }
    if tokens.token_endpoint:
        found["data_plane.control_plane_tokens.client_secret_alias"] = tokens.client_secret_alias
    return _named(found | _of_registrations(settings)) | _of_azure(settings)


async def check_secrets(settings: ConnectorSettings, vault: Vault, wanted: Mapping[str, str]) -> None:
    """Check that the vault holds what it must.

    Each secret is read, and its value dropped: not every vault lists what an operator put into it by hand, and a secret
    that is there but may not be read shows now and not in the middle of a transfer.

    Raises:
        InvalidConfigurationError: all that is missing, by setting.
        VaultForbiddenError, VaultUnavailableError: the vault did not tell.
    """
    absent = {alias for alias in set(wanted.values()) if not await _is_there(vault, alias)}
    problems = [
        ConfigurationError(
            key=setting,
            problem=f"names the secret {alias!r}, which the vault does not hold",
            remedy="Make it with `connector identity create`."
            if alias == settings.identity.signing_key_alias
            else f"Store it with `connector vault set {alias}`.",
        )
        for setting, alias in wanted.items()
        if alias in absent
    ]
    if problems:
        raise InvalidConfigurationError(problems)


async def _is_there(vault: Vault, alias: str) -> bool:
    try:
        await resolved(vault, alias, purpose="check at the start")
    except SecretNotFoundError:
        return False
    return True


def signed_token_problems(settings: ConnectorSettings) -> Iterator[ConfigurationError]:
    """What is missing of a data plane's authorization when it runs on its own."""
    own, tokens = settings.data_plane, settings.data_plane.control_plane_tokens
    if not (own.signaling_token_alias or own.insecure_no_auth or tokens.control_plane_id):
        yield ConfigurationError(
            key="data_plane.signaling_token_alias",
            problem="is empty and no control plane sends signed tokens, so that nobody could call",
            remedy="Name a vault alias, or say whose tokens are taken in [data_plane.control_plane_tokens].",
        )
    if tokens.control_plane_id and not (tokens.jwks_uri or own.insecure_unsigned_tokens):
        yield _missing("data_plane.control_plane_tokens.jwks_uri", "the keys of control_plane_id are there")
    if tokens.token_endpoint:
        for name in ("client_id", "client_secret_alias"):
            if not getattr(tokens, name):
                yield _missing(f"data_plane.control_plane_tokens.{name}", "token_endpoint asks for it")
    for index, told in enumerate(own.registrations):
        for name in ("client_id", "client_secret_alias"):
            if told.token_endpoint and not getattr(told, name):
                yield _missing(f"data_plane.registrations[{index}].{name}", "token_endpoint asks for it")


def _missing(key: str, reason: str) -> ConfigurationError:
    return ConfigurationError(key=key, problem=f"is missing: {reason}")


def _of_identity(settings: ConnectorSettings) -> dict[str, str]:
    """What messages are signed or tokens fetched with; an embedded data plane may sign receipts with the same key."""
    own = settings.identity
    signs_receipts = settings.embedded_data_plane and (
        "receipt_signing_key_alias" not in settings.data_plane.model_fields_set
    )
    found = {_SIGNING_KEY: own.signing_key_alias} if needs_signing_key(own) or signs_receipts else {}
    if own.mode == "oauth2" and own.oauth2 is not None:
        found["identity.oauth2.client_secret_alias"] = own.oauth2.client_secret_alias
    return found


def _of_azure(settings: ConnectorSettings) -> dict[str, str]:
    """What opens the storage accounts that the settings list, and the secrets of identities."""
    found: dict[str, str] = {}
    for index, account in enumerate(settings.storage.accounts):
        table = f"storage.accounts[{index}]"
        found[f"{table}.key_alias"] = account.key_alias or ""
        found[f"{table}.connection_string_alias"] = account.connection_string_alias or ""
    for name, identity in settings.azure_identities.items():
        if isinstance(identity, ClientSecretSettings):
            found[f"azure_identities.{name}.client_secret_alias"] = identity.client_secret_alias or ""
    return _named(found)


def _of_endpoint(table: str, plane: DataPlaneEndpointSettings) -> dict[str, str]:
    wanted = set(plane.secret_aliases)
    named = {f"{table}.token_alias": plane.token_alias}
    for name, client in (("oauth2", plane.oauth2), ("callback_oauth2", plane.callback_oauth2)):
        named[f"{table}.{name}.client_secret_alias"] = client.client_secret_alias if client else None
    return {setting: alias for setting, alias in named.items() if alias in wanted and alias}


def _of_embedded(settings: ConnectorSettings) -> dict[str, str]:
    """Its tokens make themselves; its receipts are signed with the participant's key unless another one is chosen."""
    own = settings.data_plane
    chosen = "receipt_signing_key_alias" in own.model_fields_set
    found = {"data_plane.receipt_signing_key_alias": own.receipt_signing_key_alias} if chosen else {}
    return _named(found | _of_registrations(settings))


def _of_registrations(settings: ConnectorSettings) -> dict[str, str]:
    names = ("api_key_alias", "token_alias", "client_secret_alias")
    return {
        f"data_plane.registrations[{index}].{name}": getattr(told, name)
        for index, told in enumerate(settings.data_plane.registrations)
        for name in names
    }


def _named(found: Mapping[str, str]) -> dict[str, str]:
    return {setting: alias for setting, alias in found.items() if alias}
