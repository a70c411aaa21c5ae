"""Checks a participant's name that came with a message, before anything is looked up or stored under it."""

from typing import Final

from connector_spi.errors import UnauthenticatedError

_NAME_MAX: Final = 512


def checked_name(value: object, *, where: str) -> str:
    """The value as a participant id; `where` says in the log where it stood.

    Raises:
        UnauthenticatedError: it is no text, empty, too long, or holds white space or characters that are not shown.
    """
    if not isinstance(value, str) or not 0 < len(value) <= _NAME_MAX or not value.isprintable() or " " in value:
        raise UnauthenticatedError(f"{where} names no participant.")
    return value
