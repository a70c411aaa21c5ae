"""A lenient reader of the JSON-LD that clients of EDC's management API send. No processor, and nothing is fetched.

Clients write the same request with prefixes, with full IRIs, or plainly, with or without a context. The reader brings
all of them to one form:

* names of EDC's namespace become plain (`assetId`), names of ODRL become `odrl:permission`, others full IRIs;
* `{"@value": v}` becomes v, `{"@list": [...]}` and `{"@set": [...]}` become lists; `{"@id": x}` stays;
* a context without `@vocab`, or none at all, means EDC's vocabulary, as EDC itself assumes.

Source of the rules: JSON-LD 1.1 (W3C), sections 4.1 and 9.15, as far as published clients use them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from connector_spi.data_address import EDC_NAMESPACE
from connector_spi.errors import InvalidInputError

ODRL_NAMESPACE: Final = "http://www.w3.org/ns/odrl/2/"

RESPONSE_CONTEXT: Final = MappingProxyType({"@vocab": EDC_NAMESPACE, "edc": EDC_NAMESPACE, "odrl": ODRL_NAMESPACE})
"""The context of every answer."""

KNOWN_CONTEXTS: Final = frozenset(
    {
        "http://www.w3.org/ns/odrl.jsonld",
        "https://w3id.org/dspace/2025/1/context.jsonld",
        "https://w3id.org/dspace/2025/1/odrl-profile.jsonld",
        "https://w3id.org/edc/dspace/v0.0.1",
        "https://w3id.org/edc/connector/management/v0.0.1",
        "https://w3id.org/edc/connector/management/v2",
        EDC_NAMESPACE,
    }
)
"""Remote contexts whose terms are the names that this API uses anyway, so they need not be fetched."""

_PREFIXES: Final = MappingProxyType(
    {
        "edc": EDC_NAMESPACE,
        "odrl": ODRL_NAMESPACE,
        "dcat": "http://www.w3.org/ns/dcat#",
        "dct": "http://purl.org/dc/terms/",
        "dspace": "https://w3id.org/dspace/2025/1/",
    }
)
"""Prefixes that clients use without declaring them."""

_KEYWORDS: Final = frozenset({"@id", "@type", "@value", "@list", "@set", "@language", "@direction", "@index"})


def read(document: object, *, max_depth: int) -> dict[str, Any]:
    """The document with names and values in the one form described above.

    Raises:
        InvalidInputError: it is no object, is nested deeper than `max_depth`, has a context that cannot be read
            without a network, says one thing twice, or holds text that is not valid Unicode.
    """
    if not isinstance(document, dict):
        raise InvalidInputError(field="body", value=type(document).__name__, problem="must be a JSON object")
    found = _Reader(max_depth).value(document, _Terms(), "body", 1)
    if not isinstance(found, dict):
        raise InvalidInputError(field="body", value=type(found).__name__, problem="must be a JSON object")
    return found


def plain_name(iri: str) -> str:
    """The IRI as this API names it: EDC's plain, ODRL's with its prefix, others in full."""
    if iri.startswith(EDC_NAMESPACE):
        return iri.removeprefix(EDC_NAMESPACE)
    if iri.startswith(ODRL_NAMESPACE):
        return "odrl:" + iri.removeprefix(ODRL_NAMESPACE)
    return iri


@dataclass(frozen=True, slots=True)
class _Terms:
    """What names mean at one place of the document. A term that means None is left out of what is read."""

    vocabulary: str = EDC_NAMESPACE
    terms: Mapping[str, str | None] = field(default_factory=dict)

    def expanded(self, name: str) -> str | None:
        """The IRI or keyword that the name stands for."""
        if name.startswith("@"):
            return name
        if name in self.terms:
            return self.terms[name]
        return self._of_compact(name) if ":" in name else self.vocabulary + name

    def _of_compact(self, name: str) -> str:
        prefix, _, rest = name.partition(":")
        namespace = self.terms.get(prefix) or _PREFIXES.get(prefix)
        return name if rest.startswith("//") or namespace is None else namespace + rest

    def with_context(self, context: object) -> "_Terms":
        """What names mean inside an object that carries this context."""
        if context is None:
            return _Terms()
        if isinstance(context, list):
            return self._with_all(context)
        if isinstance(context, str):
            return self._with_remote(context)
        if isinstance(context, dict):
            return self._with_definitions(context)
        raise InvalidInputError(
            field="@context", value=context, problem="must be an object, a string, or a list of these"
        )

    def _with_all(self, contexts: list[Any]) -> "_Terms":
        terms = self
        for context in contexts:
            if isinstance(context, list):
                raise InvalidInputError(field="@context", value=contexts, problem="is a list within a list")
            terms = terms.with_context(context)
        return terms

    def _with_remote(self, address: object) -> "_Terms":
        if not isinstance(address, str) or address not in KNOWN_CONTEXTS:
            raise InvalidInputError(
                field="@context",
                value=address,
                problem="is a context that this connector does not know, and it fetches none",
                remedy=f'Use {{"@vocab": "{EDC_NAMESPACE}"}}, or one of: {", ".join(sorted(KNOWN_CONTEXTS))}.',
            )
        return self

    def _with_definitions(self, context: Mapping[str, Any]) -> "_Terms":
        terms = self._with_remote(context["@import"]) if "@import" in context else self
        vocabulary = context.get("@vocab") or EDC_NAMESPACE
        if not isinstance(vocabulary, str):
            raise InvalidInputError(field="@context.@vocab", value=vocabulary, problem="must be a string")
        declared = {name: _declared(name, value) for name, value in context.items() if not name.startswith("@")}
        terms = replace(terms, vocabulary=vocabulary, terms={**terms.terms, **declared})
        resolved = {name: terms.expanded(iri) if iri else None for name, iri in declared.items()}
        return replace(terms, terms={**terms.terms, **resolved})


def _declared(name: str, value: object) -> str | None:
    """What a context says about one term: an IRI, a keyword, or nothing."""
    if isinstance(value, dict):
        value = value.get("@id", name)
    if value is not None and not isinstance(value, str):
        raise InvalidInputError(field=f"@context.{name}", value=value, problem="must be an IRI")
    # A term defined as itself would never end to expand.
    return EDC_NAMESPACE + name if value == name else value


class _Reader:
    """Walks a document, no deeper than it may be."""

    def __init__(self, max_depth: int) -> None:
        self._max_depth = max_depth

    def value(self, value: object, terms: _Terms, where: str, depth: int) -> Any:
        """One value, whatever it is."""
        if depth > self._max_depth:
            raise InvalidInputError(field=where, value="...", problem=f"is nested deeper than {self._max_depth} levels")
        if isinstance(value, list):
            return [self.value(item, terms, f"{where}[{i}]", depth + 1) for i, item in enumerate(value)]
        if isinstance(value, dict):
            return self._object(value, terms, where, depth)
        return _checked_text(value, where) if isinstance(value, str) else value

    def _object(self, members: Mapping[str, Any], terms: _Terms, where: str, depth: int) -> Any:
        if "@context" in members:
            terms = terms.with_context(members["@context"])
        found: dict[str, Any] = {}
        for key, value in members.items():
            name = None if key == "@context" else self._name(key, terms, where)
            if name is None:
                continue
            if name in found:
                raise InvalidInputError(field=f"{where}.{name}", value=key, problem="is given twice, in two spellings")
            read_value = self.value(value, terms, f"{where}.{name}", depth + 1)
            found[name] = _types(read_value, terms) if name == "@type" else read_value
        for wrapper in ("@value", "@list", "@set"):
            if wrapper in found:
                return found[wrapper]
        return found

    @staticmethod
    def _name(key: str, terms: _Terms, where: str) -> str | None:
        iri = terms.expanded(key)
        if iri is None:
            return None
        _checked_text(iri, where)
        if iri.startswith("@") and iri not in _KEYWORDS:
            raise InvalidInputError(field=where, value=key, problem="uses a JSON-LD keyword that is not supported")
        return plain_name(iri)


def _types(value: Any, terms: _Terms) -> Any:
    if isinstance(value, list):
        return [_types(item, terms) for item in value]
    return plain_name(terms.expanded(value) or value) if isinstance(value, str) else value


def _checked_text(text: str, where: str) -> str:
    """The text itself; half surrogates and NUL cannot be stored or sent."""
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidInputError(field=where, value=ascii(text), problem="holds NUL or half a surrogate pair")
    return text
