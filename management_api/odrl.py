"""ODRL policies between the notation of clients and the domain's.

The domain keeps policies in the compact form of the Dataspace Protocol (`{"permission": [{"action": "use"}]}`);
answers of the management API carry EDC's (`{"odrl:permission": [{"odrl:action": {"@id": "odrl:use"}}]}`).
"""

from collections.abc import Mapping
from typing import Any, Final

from connector_spi.data_address import EDC_NAMESPACE
from connector_spi.errors import InvalidInputError
from control_plane.domain.policy import Policy
from management_api.json_ld import ODRL_NAMESPACE

_RULE_LISTS: Final = ("permission", "prohibition", "obligation")
_LOGICAL: Final = ("and", "or", "xone", "andSequence")
_LISTS: Final = frozenset({*_RULE_LISTS, *_LOGICAL, "constraint", "duty", "consequence", "remedy"})
_REFERENCES: Final = frozenset({"action", "operator", "leftOperand", "target", "assigner", "assignee"})
_VOCABULARY: Final = frozenset({"action", "operator", "leftOperand", "type"})
"""Members whose value is a name of a vocabulary."""
_EDC_PREFIX: Final = "edc:"
_IDENTITY: Final = frozenset({"@id", "@type", "uid", "target", "assigner", "assignee", *_RULE_LISTS})
"""Members that say what a policy is about; they stand elsewhere in the domain."""


def policy_of(members: Mapping[str, Any]) -> Policy:
    """The policy that a client sent, its names as `json_ld.read` gives them.

    Raises:
        InvalidInputError: its rules are not objects, or a member is given twice.
    """
    compact = compact_members(members)
    rules = {
        name: tuple(_rule(rule, f"{name}[{i}]") for i, rule in enumerate(compact.get(name, ()))) for name in _RULE_LISTS
    }
    return Policy(
        permissions=rules["permission"],
        prohibitions=rules["prohibition"],
        obligations=rules["obligation"],
        extra={name: value for name, value in compact.items() if name not in _IDENTITY},
    )


def compact_members(members: Mapping[str, Any]) -> dict[str, Any]:
    """The object in the Dataspace Protocol's compact form, empty lists left out.

    Raises:
        InvalidInputError: a member is given twice, in two spellings.
    """
    compact: dict[str, Any] = {}
    for name, value in members.items():
        plain = _compact_name(name)
        if plain in compact:
            raise InvalidInputError(field=f"policy.{plain}", value=name, problem="is given twice, in two spellings")
        compact[plain] = _compact_value(plain, value)
    return {name: value for name, value in compact.items() if value != []}


def shown_policy(policy: Policy, policy_type: str, **about: str) -> dict[str, Any]:
    """The policy as answers carry it; `about` holds assigner, assignee and target."""
    rules = policy.rules()
    shown: dict[str, Any] = {"@type": f"odrl:{policy_type}"}
    shown |= {f"odrl:{name}": {"@id": value} for name, value in about.items()}
    shown |= {f"odrl:{name}": _shown(name, rules.get(name, [])) for name in _RULE_LISTS}
    return shown | {_shown_name(n): _shown(n, v) for n, v in rules.items() if n not in _RULE_LISTS}


def _rule(rule: object, name: str) -> Mapping[str, Any]:
    if not isinstance(rule, dict):
        raise InvalidInputError(field=f"policy.{name}", value=rule, problem="must be a list of objects")
    return rule


def _compact_name(name: str) -> str:
    return name.removeprefix("odrl:").removeprefix(ODRL_NAMESPACE)


def _compact_value(name: str, value: Any) -> Any:
    if name in _LISTS:
        items = value if isinstance(value, list) else [value]
        if len(items) == 1 and isinstance(items[0], list):
            # An expanded `@list` is a list within a list.
            items = items[0]
        return [_compact_value("", item) for item in items]
    if name == "rightOperand":
        # The client's own value: a list of one is that value, and an identifier stays apart from a text.
        return value[0] if isinstance(value, list) and len(value) == 1 else value
    if isinstance(value, list):
        items = [_compact_value(name, item) for item in value]
        return items[0] if len(items) == 1 and name in _REFERENCES else items
    if isinstance(value, dict):
        return _compact_value(name, value["@id"]) if _is_reference(value) else compact_members(value)
    return _vocabulary_name(value) if name in _VOCABULARY and isinstance(value, str) else value


def _vocabulary_name(value: str) -> str:
    """ODRL's names plain, as the Dataspace Protocol writes them; of EDC's, which it does not know, the full ones."""
    if value.startswith(_EDC_PREFIX):
        return EDC_NAMESPACE + value.removeprefix(_EDC_PREFIX)
    return _compact_name(value)


def _is_reference(value: Mapping[str, Any]) -> bool:
    return set(value) == {"@id"} and isinstance(value["@id"], str)


def _shown_name(name: str) -> str:
    return name if ":" in name or name.startswith("@") else f"odrl:{name}"


def _shown(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {_shown_name(n): _shown(n, v) for n, v in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(name, item) for item in value]
    if name in {"action", "operator"} and isinstance(value, str):
        return {"@id": _shown_name(value)}
    return {"@id": value} if name in _REFERENCES and isinstance(value, str) else value
