"""Whether two policies are the same terms, whoever wrote them down."""

from collections.abc import Mapping
from typing import Any, Final

from control_plane.domain.odrl import short_name
from control_plane.domain.policy import Policy

_VALUES: Final = frozenset({"@id", "@value"})
_TERMS: Final = frozenset({"action", "leftOperand", "operator"})
"""Members whose values are ODRL's own words."""


def same_terms(one: Policy, other: Policy) -> bool:
    """Whether both hold the same rules, in the same order, and the same further members.

    What JSON-LD writers differ in is no difference: `@type`, members that hold nothing, a single value in place of a
    list of one, ODRL's words with its prefix. Who is bound and which asset it is about are no part of a `Policy`.
    """
    return bool(_plain(one.rules()) == _plain(other.rules()))


def _plain(value: Any, *, term: bool = False) -> Any:
    if isinstance(value, Mapping):
        return _plain_object(value, term=term)
    if isinstance(value, list | tuple):
        items = [_plain(item, term=term) for item in value]
        return items[0] if len(items) == 1 else items
    if isinstance(value, str) and term:
        return short_name(value)
    # A flag is not the number that Python takes it for.
    return ("flag", value) if isinstance(value, bool) else value


def _plain_object(value: Mapping[str, Any], *, term: bool) -> Any:
    members = {short_name(name): member for name, member in value.items() if name != "@type"}
    if len(members) == 1 and members.keys() <= _VALUES:
        return _plain(next(iter(members.values())), term=term)
    plain = {name: _plain(member, term=name in _TERMS) for name, member in members.items()}
    return {name: member for name, member in plain.items() if member not in (None, [], {})}
