"""What is wrong with the settings of an identity, found before anything is opened."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from connector_spi.errors import ConfigurationError, UnauthenticatedError
from control_plane.bootstrap.identity_plugins import installed_names
from control_plane.settings import CounterpartySettings, IdentitySettings
from outbound_http.did_web import document_url

Counterparties = tuple[CounterpartySettings, ...]


def identity_problems(
    identity: IdentitySettings, participant_id: str, counterparties: Counterparties
) -> Iterator[ConfigurationError]:
    """All that is wrong, each with its setting and the remedy."""
    rules = _RULES.get(identity.mode)
    if rules is not None:
        yield from rules(identity, participant_id, counterparties)
    elif identity.mode not in (others := installed_names()):
        known = ", ".join([*_RULES, *sorted(others)])
        yield ConfigurationError(
            key="identity.mode", problem=f"is {identity.mode!r}, which nobody serves", remedy=f"Known are: {known}."
        )


def needs_signing_key(identity: IdentitySettings) -> bool:
    """Whether messages are signed with the participant's own key."""
    return identity.mode in {"key", "dcp-id-token"}


def _key(_: IdentitySettings, __: str, counterparties: Counterparties) -> Iterator[ConfigurationError]:
    for index, peer in enumerate(counterparties):
        if peer.key_source == "did-web":
            yield from _did_web(f"counterparties[{index}].id", peer.id)
        elif peer.public_key is None:
            yield ConfigurationError(
                key=f"counterparties[{index}].public_key",
                problem="is missing",
                remedy="Set it, or public_key_file, to what `connector identity create` printed at the counterparty; "
                'or key_source = "did-web".',
            )


def _dcp_id_token(
    _: IdentitySettings, participant_id: str, counterparties: Counterparties
) -> Iterator[ConfigurationError]:
    yield from _did_web("participant.id", participant_id)
    for index, peer in enumerate(counterparties):
        yield from _did_web(f"counterparties[{index}].id", peer.id)


def _oauth2(identity: IdentitySettings, _: str, counterparties: Counterparties) -> Iterator[ConfigurationError]:
    if identity.oauth2 is None:
        yield ConfigurationError(
            key="identity.oauth2",
            problem='is missing, and identity.mode is "oauth2"',
            remedy="Say there where tokens come from, and whose are believed.",
        )
    said = [peer.oauth2.claim_value or peer.id for peer in counterparties]
    for index, name in enumerate(said):
        if name in said[:index]:
            yield ConfigurationError(
                key=f"counterparties[{index}].oauth2.claim_value",
                problem=f"is {name!r}, which the tokens of another counterparty say: one could act as the other",
                remedy="Each participant needs a client of its own at the authorization server.",
            )


def _client_id(identity: IdentitySettings, _: str, __: Counterparties) -> Iterator[ConfigurationError]:
    if not identity.allow_insecure_client_id:
        yield ConfigurationError(
            key="identity.mode",
            problem='is "client-id", with which everybody may call under any name',
            remedy='Use "key" or "oauth2". In a lab, set identity.allow_insecure_client_id = true as well.',
        )


def _did_web(key: str, participant_id: str) -> Iterator[ConfigurationError]:
    try:
        document_url(participant_id)
    except UnauthenticatedError:
        yield ConfigurationError(key=key, problem=f"is {participant_id!r}, which is no did:web that keys are found by")


_RULES: Final[Mapping[str, Callable[[IdentitySettings, str, Counterparties], Iterator[ConfigurationError]]]] = {
    "key": _key,
    "oauth2": _oauth2,
    "client-id": _client_id,
    "dcp-id-token": _dcp_id_token,
}
