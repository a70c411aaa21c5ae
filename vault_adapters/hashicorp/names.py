"""Under which name in the engine's folder an alias rests: always one path segment, and reversible.

Most aliases are their own name, so that operators find `provideraccount` where they expect it. What a path would take
for something else is written as `~` and two hexadecimal digits, as `~2F` for a slash: an alias can neither leave the
folder, nor be one folder's name and another one's secret, and one LIST call shows all of them.
"""

import re
from typing import Final

from connector_spi.errors import InvalidInputError
from vault_adapters.aliases import checked_alias

# Slashes, and dots that make a segment relative: Vault refuses `..` anywhere in a path, and clients resolve `.`.
_UNSAFE: Final = re.compile(r"/|^\.|(?<=\.)\.")
_ESCAPED: Final = re.compile(r"~([0-9A-F]{2})")


def name_of(alias: str) -> str:
    """The name of a legal alias; no two aliases share one."""
    return _UNSAFE.sub(lambda found: f"~{ord(found.group()):02X}", alias)


def alias_of(name: str) -> str | None:
    """The alias that rests under this name, or None: somebody else's folder or entry."""
    alias = _ESCAPED.sub(lambda found: chr(int(found.group(1), 16)), name)
    try:
        checked_alias(alias)
    except InvalidInputError:
        return None
    return alias if name_of(alias) == name else None
