"""Aliases as names of Key Vault secrets, reversibly: no two aliases share a name, not even in the other case.

Key Vault takes 1 to 127 characters of `0-9 A-Z a-z -` and does not tell capitals from small letters. Its documentation
wants a letter first. So names are written in small letters:

    a-z 0-9    itself
    -          itself where a small letter or a digit follows, else --h
    . / _      --d --s --u
    A-Z        --c and the small letter

`x---` stands before a name that would not begin with a letter. A name that would be too long is `hashed---` and the
SHA-256 of the alias; its alias rests in a tag. Nothing else holds three hyphens at its front, so the forms do not meet.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Final

LONGEST_NAME: Final = 127
"""Characters. Source: learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates."""

_FIRST: Final = "x---"
_HASHED: Final = "hashed---"
_PUNCTUATION: Final[Mapping[str, str]] = {".": "--d", "/": "--s", "_": "--u"}
_CHARACTERS: Final[Mapping[str, str]] = {escape: sign for sign, escape in _PUNCTUATION.items()} | {"--h": "-"}
_TO_ESCAPE: Final = re.compile(r"[A-Z./_]|-(?![a-z0-9])")
_ESCAPE: Final = re.compile(r"--[dsuh]|--c[a-z]")
_PLAIN: Final = re.compile(rf"[0-9A-Za-z-]{{1,{LONGEST_NAME}}}")


def name_of(alias: str) -> str:
    """The one name that this alias is stored under."""
    escaped = _TO_ESCAPE.sub(lambda found: _escape(found.group()), alias)
    name = escaped if escaped[0].isalpha() else _FIRST + escaped
    if len(name) <= LONGEST_NAME:
        return name
    return _HASHED + hashlib.sha256(alias.encode()).hexdigest()


def alias_of(name: str) -> str | None:
    """The alias that is stored under this name; None for a hashed one, and where no alias has this name."""
    alias = _ESCAPE.sub(lambda found: _unescape(found.group()), name.lower().removeprefix(_FIRST))
    return alias if alias and name_of(alias) == name.lower() else None


def operators_name_of(alias: str) -> str | None:
    """The alias itself where it is a name of Key Vault but not the one of `name_of`: an operator may have used it."""
    return alias if _PLAIN.fullmatch(alias) and alias != name_of(alias) else None


def _escape(character: str) -> str:
    if character == "-":
        return "--h"
    return _PUNCTUATION.get(character) or f"--c{character.lower()}"


def _unescape(escape: str) -> str:
    return _CHARACTERS.get(escape) or escape[-1].upper()
