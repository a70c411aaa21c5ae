"""The shapes that the schemas of the Dataspace Protocol 2025-1 demand of what we write, as small tables.

Written down by hand from the specification's JSON schemas; the conformance kit holds the schemas themselves. Stricter
than those in one respect: a member that no table knows is a problem, unless the shape says that there may be others.
"""

from collections.abc import Callable
from typing import Any, Final

Check = Callable[[Any, str], list[str]]
Table = dict[str, Check]
"""Checks of members; the name of one that may be left out ends with a question mark."""

CONTEXT: Final = "https://w3id.org/dspace/2025/1/context.jsonld"
OPERATORS: Final = [
    "eq",
    "gt",
    "gteq",
    "lteq",
    "hasPart",
    "isA",
    "isAllOf",
    "isAnyOf",
    "isNoneOf",
    "isPartOf",
    "lt",
    "term-lteq",
    "neq",
]
LOGICAL: Final = ("and", "or", "xone", "andSequence")
NEGOTIATION_STATES: Final = ["REQUESTED", "OFFERED", "ACCEPTED", "AGREED", "VERIFIED", "FINALIZED", "TERMINATED"]
TRANSFER_STATES: Final = ["REQUESTED", "STARTED", "SUSPENDED", "COMPLETED", "TERMINATED"]


def text(value: Any, where: str) -> list[str]:
    return [] if isinstance(value, str) and value else [f"{where}: no text, or an empty one"]


def anything(_value: Any, _where: str) -> list[str]:
    return []


def right_operand(value: Any, where: str) -> list[str]:
    return [] if isinstance(value, str | dict | list) else [f"{where}: neither text nor object nor list"]


def timestamp(value: Any, where: str) -> list[str]:
    good = isinstance(value, str) and value.endswith("Z") and "T" in value
    return [] if good else [f"{where}: {value!r} is no UTC time"]


def one_of(*allowed: str) -> Check:
    return lambda value, where: [] if value in allowed else [f"{where}: {value!r} is none of {allowed}"]


def some(check: Check) -> Check:
    """A list with at least one item."""

    def checked(value: Any, where: str) -> list[str]:
        if not isinstance(value, list) or not value:
            return [f"{where}: no list, or an empty one"]
        return [problem for at, item in enumerate(value) for problem in check(item, f"{where}[{at}]")]

    return checked


def shape(
    kind: str | None,
    table: Table,
    *,
    any_of: tuple[str, ...] = (),
    just_one: tuple[str, ...] = (),
    others: bool = False,
) -> Check:
    """An object with this `@type`; `any_of` and `just_one`: members of which one at least, or exactly one, is there."""
    checks = {name.rstrip("?"): check for name, check in table.items()} | {"@type": anything, "@context": anything}
    needed = [name for name in table if not name.endswith("?")]

    def checked(value: Any, where: str) -> list[str]:
        if not isinstance(value, dict):
            return [f"{where}: no object"]
        found = [f"{where}.{name}: missing" for name in needed if name not in value]
        if kind is not None and value.get("@type") != kind:
            found.append(f"{where}.@type: {value.get('@type')!r} is not {kind!r}")
        if any_of and not any(name in value for name in any_of):
            found.append(f"{where}: none of {any_of}")
        if just_one and sum(name in value for name in just_one) != 1:
            found.append(f"{where}: not exactly one of {just_one}")
        if not others:
            found += [f"{where}.{name}: unknown" for name in value if name not in checks]
        return found + [
            p for name, part in value.items() if name in checks for p in checks[name](part, f"{where}.{name}")
        ]

    return checked


def constraint(value: Any, where: str) -> list[str]:
    if isinstance(value, dict) and set(LOGICAL) & set(value):
        return shape(None, {f"{name}?": some(constraint) for name in LOGICAL}, just_one=LOGICAL)(value, where)
    atomic: Table = {"leftOperand": text, "operator": one_of(*OPERATORS), "rightOperand": right_operand}
    return shape(None, atomic)(value, where)


ONE_RULE: Final = ("permission", "prohibition")
DUTY: Final = shape(None, {"action": text, "constraint?": some(constraint)})
RULE: Final = shape(None, {"action": text, "constraint?": some(constraint), "duty?": some(DUTY)})
RULES: Final[Table] = {"permission?": some(RULE), "prohibition?": some(RULE), "obligation?": some(DUTY)}
PARTIES: Final[Table] = {"assigner?": text, "assignee?": text}
CATALOG_OFFER: Final = shape("Offer", {"@id": text, **RULES}, any_of=ONE_RULE)
OFFER: Final = shape("Offer", {"@id": text, "target": text, **PARTIES, **RULES}, any_of=ONE_RULE)
AGREEMENT: Final = shape(
    "Agreement",
    {"@id": text, "target": text, "assigner": text, "assignee": text, "timestamp": timestamp, **RULES},
    any_of=ONE_RULE,
)
PROPERTY: Final = shape("EndpointProperty", {"name": text, "value": text})
DATA_ADDRESS: Final = shape(
    "DataAddress", {"endpointType": text, "endpoint?": text, "endpointProperties?": some(PROPERTY)}
)
SERVICE: Final = shape("DataService", {"@id": text, "endpointURL": text, "endpointDescription?": text})
DISTRIBUTION: Final = shape("Distribution", {"format": text, "accessService": SERVICE})
# An asset's own properties stand beside the members that the schemas know.
DATASET: Final = shape(
    "Dataset", {"@id": text, "hasPolicy": some(CATALOG_OFFER), "distribution": some(DISTRIBUTION)}, others=True
)

ID: Final[Table] = {"@id?": text}
PIDS: Final[Table] = {"providerPid": text, "consumerPid": text}
WHY: Final[Table] = {"code?": text, "reason?": some(text)}
_TABLES: Final[dict[str, Table]] = {
    "CatalogRequestMessage": {**ID, "filter?": some(anything)},
    "ContractAgreementMessage": {**ID, **PIDS, "agreement": AGREEMENT},
    "ContractAgreementVerificationMessage": {**ID, **PIDS},
    "ContractNegotiationEventMessage": {**ID, **PIDS, "eventType": one_of("ACCEPTED", "FINALIZED")},
    "ContractNegotiationTerminationMessage": {**ID, **PIDS, **WHY},
    "TransferRequestMessage": {
        **ID,
        "consumerPid": text,
        "agreementId": text,
        "format": text,
        "callbackAddress": text,
        "dataAddress?": DATA_ADDRESS,
    },
    "TransferStartMessage": {**ID, **PIDS, "dataAddress?": DATA_ADDRESS},
    "TransferCompletionMessage": {**ID, **PIDS},
    "TransferSuspensionMessage": {**ID, **PIDS, **WHY},
    "TransferTerminationMessage": {**ID, **PIDS, **WHY},
    "ContractNegotiation": {**ID, **PIDS, "state": one_of(*NEGOTIATION_STATES)},
    # `progress` is this project's extension.
    "TransferProcess": {**ID, **PIDS, "state": one_of(*TRANSFER_STATES), "progress?": anything},
    "Catalog": {"@id": text, "participantId": text, "service": some(SERVICE), "dataset?": some(DATASET)},
    "CatalogError": WHY,
    "VersionsError": WHY,
    "ContractNegotiationError": {**PIDS, **WHY},
    "TransferError": {**PIDS, **WHY},
}
MESSAGES: Final[dict[str, Check]] = {
    **{kind: shape(kind, table) for kind, table in _TABLES.items()},
    "Dataset": DATASET,
    "ContractRequestMessage": shape(
        "ContractRequestMessage",
        {**ID, "consumerPid": text, "providerPid?": text, "callbackAddress?": text, "offer": OFFER},
        just_one=("callbackAddress", "providerPid"),
    ),
    "ContractOfferMessage": shape(
        "ContractOfferMessage",
        {**ID, "providerPid": text, "consumerPid?": text, "callbackAddress?": text, "offer": OFFER},
        just_one=("callbackAddress", "consumerPid"),
    ),
}


def problems(body: Any) -> list[str]:
    """What is wrong with a body that we sent or answered, by the table of its `@type`."""
    if not isinstance(body, dict) or body.get("@type") not in MESSAGES:
        return [f"no known @type: {body!r}"]
    context = [] if body.get("@context") == [CONTEXT] else [f"@context: {body.get('@context')!r}"]
    return context + MESSAGES[body["@type"]](body, str(body["@type"]))
