"""What is wrong with settings that are each fine alone, found before anything is opened."""

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from connector_cli.azure_checks import azure_problems
from connector_cli.configuration import InvalidConfigurationError, counterparties_of
from connector_cli.needed_secrets import signed_token_problems
from connector_cli.settings import EMBEDDED_ID, ConnectorSettings, ListenerSection, is_loopback
from connector_spi.errors import ConfigurationError
from control_plane.bootstrap.identity_rules import identity_problems

PUBLIC_LISTENER: Final = "data_plane.public"


def listeners_of(settings: ConnectorSettings) -> dict[str, ListenerSection]:
    """The listeners of `connector run`, by the name of their table."""
    own = {"management": settings.management, "protocol": settings.protocol, "signaling": settings.signaling}
    return {**own, **_public(settings)} if settings.embedded_data_plane else {**own}


def listeners_of_data_plane(settings: ConnectorSettings) -> dict[str, ListenerSection]:
    """The listeners of `connector data-plane`, by the name of their table."""
    own = settings.data_plane
    return {"data_plane": ListenerSection(host=own.host, port=own.port), **_public(settings)}


def _public(settings: ConnectorSettings) -> dict[str, ListenerSection]:
    public = settings.data_plane.public
    return {PUBLIC_LISTENER: public} if public else {}


def check_for_connector(settings: ConnectorSettings) -> None:
    """Check what `connector run` needs.

    Raises:
        InvalidConfigurationError: all that is wrong.
    """
    problems = [
        *_participant(settings),
        *_listeners(listeners_of(settings)),
        *_embedded_public(settings),
        *_identity(settings),
        *_data_planes(settings),
        *_networks(settings),
        *azure_problems(settings),
    ]
    if problems:
        raise InvalidConfigurationError(problems)


def check_for_data_plane(settings: ConnectorSettings) -> None:
    """Check what `connector data-plane` needs.

    Raises:
        InvalidConfigurationError: all that is wrong.
    """
    problems = [
        *_listeners(listeners_of_data_plane(settings)),
        *azure_problems(settings),
        *signed_token_problems(settings),
    ]
    if problems:
        raise InvalidConfigurationError(problems)


def _participant(settings: ConnectorSettings) -> Iterator[ConfigurationError]:
    if settings.participant is None:
        remedy = 'Say who this connector acts for: id = "my-organisation" in [participant].'
        yield ConfigurationError(key="participant.id", problem="is missing", remedy=remedy)


def _listeners(listeners: Mapping[str, ListenerSection]) -> Iterator[ConfigurationError]:
    taken: dict[tuple[str, int], str] = {}
    for name, section in listeners.items():
        other = taken.setdefault((section.host, section.port), name)
        if other != name:
            yield ConfigurationError(key=f"{name}.port", problem=f"is {section.port}, which is also that of [{other}]")


def _embedded_public(settings: ConnectorSettings) -> Iterator[ConfigurationError]:
    own = settings.data_plane
    if settings.embedded_data_plane and own.public_url and own.public is None:
        yield ConfigurationError(
            key="data_plane.public_url",
            problem="is an address at which an embedded data plane serves nothing",
            remedy="Add the listener for it: port = 19196 in [data_plane.public].",
        )


def _identity(settings: ConnectorSettings) -> Iterator[ConfigurationError]:
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
        if counterparty.public_key is not None and not _is_p256_key(counterparty.public_key):
            yield ConfigurationError(
                key=f"counterparties[{index}].public_key",
                problem="is not the PEM text of a P-256 public key",
                remedy="Use what `connector identity create` printed at the counterparty.",
            )
    participant_id = settings.participant.id if settings.participant else ""
    yield from identity_problems(settings.identity, participant_id, counterparties)


def _data_planes(settings: ConnectorSettings) -> Iterator[ConfigurationError]:
    seen = {EMBEDDED_ID} if settings.embedded_data_plane else set()
    for index, plane in enumerate(settings.data_planes):
        if plane.id in seen:
            yield ConfigurationError(key=f"data_planes[{index}].id", problem="names a data plane twice")
        if plane.believes_every_caller and not is_loopback(settings.signaling.host):
            # It may also register itself: then signals, and what is in them, would go where the caller likes.
            yield ConfigurationError(
                key=f"data_planes[{index}].token_alias",
                problem="is empty, and other machines reach [signaling]",
                remedy="Name the alias of a shared token, or let signaling.host be a loopback address.",
            )
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


def _is_p256_key(pem: str) -> bool:
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        return False
    return isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1)
