"""The rules for aliases and values that all vaults share, so that a secret can move from one to another."""

import re
from typing import Final

from connector_spi.errors import InvalidInputError

LONGEST_ALIAS: Final = 200
"""Characters."""
LONGEST_VALUE: Final = 25_000
"""Characters; what Azure Key Vault accepts."""

_ALIAS: Final = re.compile(rf"[A-Za-z0-9._/-]{{1,{LONGEST_ALIAS}}}")


def checked_alias(alias: str) -> str:
    """The alias itself.

    Raises:
        InvalidInputError: it is empty, too long, or holds a character that is not allowed.
    """
    if not _ALIAS.fullmatch(alias):
        raise InvalidInputError(
            field="alias",
            value=alias,
            problem=f"is not 1 to {LONGEST_ALIAS} characters of A-Z a-z 0-9 . _ / -",
        )
    return alias


def checked_value(value: str) -> str:
    """The value itself. The error describes a refused value and never holds it.

    Raises:
        InvalidInputError: it is empty (a forgotten secret would come back later as a puzzling refusal), too
            long, or has no UTF-8 form.
    """
    if not 1 <= len(value) <= LONGEST_VALUE:
        raise InvalidInputError(
            field="value",
            value=f"{len(value)} characters",
            problem=f"a secret has 1 to {LONGEST_VALUE} characters",
        )
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidInputError(
            field="value", value=f"{len(value)} characters", problem="the text holds half a surrogate pair"
        ) from None
    return value
