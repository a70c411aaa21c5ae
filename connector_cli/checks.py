"""What is wrong with settings that are each fine alone, found before anything is opened."""

import ipaddress
from collections.abc import Iterator, Sequence

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from azure_storage.endpoints import StorageEndpoints
from connector_cli.configuration import InvalidConfigurationError, counterparties_of
from connector_cli.settings import EMBEDDED_ID, ConnectorSettings, ListenerSection
from connector_spi.errors import ConfigurationError
from connector_spi.vault import Vault


def listeners_of(settings: ConnectorSettings) -> dict[str, ListenerSection]:
    """The listeners of `connector run`, by the name of their table."""
    return {"management": settings.management, "protocol": settings.protocol, "signaling": settings.signaling}


def check_for_connector(settings: ConnectorSettings) -> None:
    """Check what `connector run` needs.

    Raises:
        InvalidConfigurationError: all that is wrong.
    """
    problems = [
        *_participant(settings),
        *_listeners(settings),
        *_counterparties(settings),
        *_data_planes(settings),
        *_networks(settings),
        *_storage(settings),
    ]
    if problems:
        raise InvalidConfigurationError(problems)


def check_for_data_plane(settings: ConnectorSettings) -> None:
    """Check what `connector data-plane` needs.

    Raises:
        InvalidConfigurationError: all that is wrong.
    """
    problems = list(_storage(settings))
    if problems:
        raise InvalidConfigurationError(problems)


def secrets_of_connector(settings: ConnectorSettings) -> tuple[str, ...]:
    """The vault aliases without which `connector run` cannot do its work."""
    aliases = [settings.identity.signing_key_alias]
    if not settings.management.insecure_no_auth:
        aliases.append(settings.management.api_key_alias)
    for plane in settings.data_planes:
        aliases += plane.secret_aliases
    return tuple(dict.fromkeys(aliases))


def secrets_of_data_plane(settings: ConnectorSettings) -> tuple[str, ...]:
    """The vault aliases without which `connector data-plane` cannot do its work."""
    own = settings.data_plane
    aliases: tuple[str, ...] = () if own.insecure_no_auth else (own.signaling_token_alias,)
    aliases += (own.callback_token_alias, own.receipt_signing_key_alias)
    return tuple(dict.fromkeys(alias for alias in aliases if alias))


async def check_secrets(settings: ConnectorSettings, vault: Vault, wanted: Sequence[str]) -> None:
    """Check that the vault holds what it must; looks at aliases, never at values.

    Raises:
        InvalidConfigurationError: all that is missing.
        VaultForbiddenError, VaultUnavailableError: the vault did not tell.
    """
    there = frozenset(await vault.aliases())
    problems = [
        ConfigurationError(
            key=alias,
            problem="is a secret that the vault does not hold",
            remedy="Make it with `connector identity create`."
            if alias == settings.identity.signing_key_alias
            else f"Store it with `connector vault set {alias}`.",
        )
        for alias in wanted
        if alias not in there
    ]
    if problems:
        raise InvalidConfigurationError(problems)


def _participant(settings: ConnectorSettings) -> Iterator[ConfigurationError]:
    if settings.participant is None:
        remedy = 'Say who this connector acts for: id = "my-organisation" in [participant].'
        yield ConfigurationError(key="participant.id", problem="is missing", remedy=remedy)


def _listeners(settings: ConnectorSettings) -> Iterator[ConfigurationError]:
    taken: dict[tuple[str, int], str] = {}
    for name, section in listeners_of(settings).items():
        other = taken.setdefault((section.host, section.port), name)
        if other != name:
            yield ConfigurationError(key=f"{name}.port", problem=f"is {section.port}, which is also that of [{other}]")


def _counterparties(settings: ConnectorSettings) -> Iterator[ConfigurationError]:
    try:
        counterparties = counterparties_of(settings)
    except InvalidConfigurationError as error:
        yield from error.problems
        return
    seen: set[str] = set()
    for index, counterparty in enumerate(counterparties):
        if counterparty.id in seen:
            yield ConfigurationError(key=f"counterparties[{index}].id", problem="names a counterparty twice")
        seen.add(counterparty.id)
        if not _is_p256_key(counterparty.public_key):
            yield ConfigurationError(
                key=f"counterparties[{index}].public_key",
                problem="is not the PEM text of a P-256 public key",
                remedy="Use what `connector identity create` printed at the counterparty.",
            )


def _data_planes(settings: ConnectorSettings) -> Iterator[ConfigurationError]:
    seen = {EMBEDDED_ID} if settings.embedded_data_plane else set()
    for index, plane in enumerate(settings.data_planes):
        if plane.id in seen:
            yield ConfigurationError(key=f"data_planes[{index}].id", problem="names a data plane twice")
        seen.add(plane.id)


def _networks(settings: ConnectorSettings) -> Iterator[ConfigurationError]:
    for index, network in enumerate(settings.outbound.allowed_networks):
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            yield ConfigurationError(
                key=f"outbound.allowed_networks[{index}]",
                problem=f"is not a network: {error}",
                remedy='Write it like "10.0.0.0/8".',
            )


def _storage(settings: ConnectorSettings) -> Iterator[ConfigurationError]:
    try:
        StorageEndpoints(settings.storage.endpoint_template)
    except ConfigurationError as error:
        yield error


def _is_p256_key(pem: str) -> bool:
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        return False
    return isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1)
