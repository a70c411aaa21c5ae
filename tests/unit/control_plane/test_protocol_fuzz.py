"""Whatever is posted to whichever endpoint of the protocol: no failure of ours, and nothing kept of what was refused.

The endpoints are those of the application, so one that is added is fuzzed too.
"""

import asyncio
import json
import re
from typing import Any, Final
from urllib.parse import quote

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control_plane.domain.contract_negotiation import NegotiationState, NegotiationType
from control_plane.domain.query import QuerySpec
from control_plane.domain.transfer_process import TransferProcessState, TransferProcessType
from tests import control_plane_entities as examples
from tests.unit.control_plane.keys import identity
from tests.unit.control_plane.protocol_paths import templates
from tests.unit.control_plane.protocol_rig import (
    CALLBACK,
    OFFER,
    THEM,
    ProtocolRig,
    contract_request,
    token,
    told,
    transfer_request,
)
from tests.unit.json_fuzz import BODIES, VALUES, changed

FUZZED: Final = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ERRORS: Final = {"CatalogError", "ContractNegotiationError", "TransferError", "VersionsError"}
_N, _T = NegotiationState, TransferProcessState
NEGOTIATIONS: Final = {
    f"n-{side.name}-{state.name}": (side, state)
    for side in NegotiationType
    for state in (_N.REQUESTED, _N.OFFERED, _N.ACCEPTED, _N.AGREED, _N.VERIFIED, _N.FINALIZED, _N.TERMINATED)
}
TRANSFERS: Final = {
    f"t-{side.name}-{state.name}": (side, state)
    for side in TransferProcessType
    for state in (_T.REQUESTED, _T.STARTED, _T.SUSPENDED, _T.COMPLETED, _T.TERMINATED)
}
OFFERED: Final = {"@type": "Offer", "@id": OFFER, "target": "asset-1", "permission": [{"action": "use"}]}
AGREED: Final = OFFERED | {
    "@type": "Agreement",
    "@id": "agreement-of-theirs",
    "assigner": THEM,
    "assignee": "did:web:us",
    "timestamp": "2026-01-31T12:00:00Z",
}
ADDRESS: Final = transfer_request()["dataAddress"]
MESSAGES: Final[dict[str, dict[str, Any]]] = {
    "catalog/request": {"@type": "CatalogRequestMessage", "filter": [{"a": 1}]},
    "negotiations/request": contract_request(),
    "negotiations/offers": {
        "@type": "ContractOfferMessage",
        "providerPid": "x",
        "callbackAddress": CALLBACK,
        "offer": OFFERED,
    },
    "{pid}/request": {"@type": "ContractRequestMessage", "offer": OFFERED},
    "{pid}/offers": {"@type": "ContractOfferMessage", "offer": OFFERED},
    "{pid}/agreement": {"@type": "ContractAgreementMessage", "agreement": AGREED},
    "{pid}/agreement/verification": {"@type": "ContractAgreementVerificationMessage"},
    "{pid}/events": {"@type": "ContractNegotiationEventMessage", "eventType": "FINALIZED"},
    "{pid}/termination": {"@type": "ContractNegotiationTerminationMessage", "code": "x", "reason": ["y"]},
    "transfers/request": transfer_request(),
    "start": {"@type": "TransferStartMessage", "dataAddress": ADDRESS},
    "completion": {"@type": "TransferCompletionMessage"},
    "suspension": {"@type": "TransferSuspensionMessage", "code": "x", "reason": ["y"]},
    "termination": {"@type": "TransferTerminationMessage", "code": "x", "reason": ["y"]},
}
"""What is good in the place that a path ends with."""


def test_every_endpoint_of_the_protocol_is_fuzzed() -> None:
    assert {"catalog/request", "negotiations/request", "negotiations/{pid}/events", "transfers/request"} <= set(
        templates("post")
    )
    assert len(templates("post")) >= 10


@st.composite
def calls(draw: st.DrawFn, method: str = "post") -> tuple[str, dict[str, Any]]:
    """A path of the application, and a good message for it; mostly about a process that there is."""
    template = draw(st.sampled_from(templates(method)))
    known = NEGOTIATIONS if template.startswith("negotiations") else TRANSFERS
    pid = draw(st.sampled_from(sorted(known)) | st.text(min_size=1, max_size=20))
    name = draw(st.sampled_from(("start", "completion", "suspension", "termination")) | st.text(min_size=1, max_size=9))
    good = [MESSAGES[end] for end in sorted(MESSAGES, key=len) if template.replace("{name}", name).endswith(end)]
    side = known[pid][0].name if pid in known else "CONSUMER"
    own, other = ("consumerPid", "providerPid") if side == "CONSUMER" else ("providerPid", "consumerPid")
    pids = {own: pid, other: f"theirs-{pid}"} if "{pid}" in template else {}
    message = {**told("Unknown", "c", "p"), **(good[-1] if good else {}), **pids}
    if template.endswith(("negotiations/request", "negotiations/offers")):
        message.pop("providerPid" if template.endswith("request") else "consumerPid")
    filled = re.sub(r"{(\w+)}", lambda found: quote(pid if found[1] == "pid" else name, safe=""), template)
    return filled, message


async def rig() -> ProtocolRig:
    """A participant in the midst of everything."""
    protocol = ProtocolRig()
    await protocol.offered()
    await protocol.agreed()
    for name, (side, state) in NEGOTIATIONS.items():
        negotiation = examples.negotiation(
            name, type=side, state=state, correlation_id=f"theirs-{name}", counter_party_id=THEM, offer_id=OFFER
        )
        await protocol.stores.contract_negotiations.create(negotiation, due_at=None)
    for name, (kind, transfer_state) in TRANSFERS.items():
        process = examples.transfer_process(
            name,
            type=kind,
            state=transfer_state,
            correlation_id=f"theirs-{name}",
            counter_party_id=THEM,
            contract_id="a-1",
            transfer_type="HttpData-PULL" if name.endswith("STARTED") else "AzureStorage-PUSH",
        )
        await protocol.stores.transfer_processes.create(process, due_at=None)
    return protocol


async def kept(protocol: ProtocolRig) -> Any:
    """All that is kept, the inboxes aside."""
    everything = QuerySpec(limit=1000)
    stores = protocol.stores
    return [
        *await stores.contract_negotiations.query(everything),
        *await stores.transfer_processes.query(everything),
        dict(protocol.secrets),
    ]


async def notes(protocol: ProtocolRig) -> list[Any]:
    """All that waits in inboxes."""
    far = examples.moment(1e9)
    stores = (protocol.stores.contract_negotiations, protocol.stores.transfer_processes)
    leased = [await store.lease_due(now=far, limit=1000, lease_seconds=60, owner="test") for store in stores]
    return [note for found in leased for entity in found for note in entity.inbox]


async def answered(path: str, body: bytes, *, method: str = "POST", headers: Any = (), query: str = "") -> int:
    """Call, and check what is true of every answer."""
    protocol = await rig()
    before = await kept(protocol)
    header = await token(identity(THEM))
    async with protocol.http() as client:
        request = client.build_request(
            method, f"https://us.example/2025-1/{path}{query}", content=body, headers={"Authorization": header}
        )
        request.headers = httpx.Headers([*request.headers.raw, *headers], encoding="latin-1")
        answer = await client.send(request)
    status = answer.status_code
    assert status < 500 or status == 503
    if status >= 400:
        told_of = answer.json()
        assert (told_of["@type"] in ERRORS, answer.headers["Content-Type"]) == (True, "application/json")
        assert told_of["@context"] == ["https://w3id.org/dspace/2025/1/context.jsonld"]
        assert told_of["code"]
        assert [type(reason) for reason in told_of["reason"]] == [str]
        about_process = told_of["@type"] in {"ContractNegotiationError", "TransferError"}
        assert not about_process or (told_of["consumerPid"] and told_of["providerPid"])
        assert (await kept(protocol), await notes(protocol)) == (before, [])
    assert "PLANTED" not in answer.text
    return status


@FUZZED
@given(call=calls(), data=st.data())
def test_a_good_message_of_which_something_was_changed(call: tuple[str, dict[str, Any]], data: st.DataObject) -> None:
    path, message = call
    asyncio.run(answered(path, data.draw(changed(message))))


@FUZZED
@given(call=calls(), body=BODIES)
def test_any_body(call: tuple[str, dict[str, Any]], body: bytes) -> None:
    asyncio.run(answered(call[0], body))


@FUZZED
@given(
    call=calls("get"),
    query=st.dictionaries(st.text(max_size=12) | st.sampled_from(["continuation", "page"]), st.text(max_size=30)),
)
def test_any_question(call: tuple[str, dict[str, Any]], query: dict[str, str]) -> None:
    asked = "?" + "&".join(
        f"{quote(name, errors='ignore')}={quote(text, errors='ignore')}" for name, text in query.items()
    )
    asyncio.run(answered(call[0], b"", method="GET", query=asked))


header_names: Final = st.sampled_from(
    ["Authorization", "Content-Type", "Accept", "Content-Encoding", "Host", "Origin", "X-Forwarded-For", "Expect"]
)


@FUZZED
@given(call=calls(), headers=st.lists(st.tuples(header_names, st.binary(max_size=60)), max_size=4))
def test_any_headers(call: tuple[str, dict[str, Any]], headers: list[tuple[str, bytes]]) -> None:
    sent = [(name.encode(), value) for name, value in headers]
    asyncio.run(answered(call[0], json.dumps(call[1]).encode(), headers=sent))


@FUZZED
@given(path=st.text(max_size=60) | st.lists(st.text(max_size=8), max_size=5).map("/".join), body=VALUES)
def test_any_path(path: str, body: Any) -> None:
    sent = quote(path, safe="/", errors="ignore")
    asyncio.run(answered(sent or "x", json.dumps(body).encode()))


def test_the_good_messages_are_good() -> None:
    """Else the fuzzing would begin with what is refused already."""
    good = {
        "transfers/request": transfer_request(),
        "negotiations/request": contract_request(),
        "negotiations/n-PROVIDER-AGREED/agreement/verification": told(
            "ContractAgreementVerificationMessage", "theirs-n-PROVIDER-AGREED", "n-PROVIDER-AGREED"
        ),
        "transfers/t-PROVIDER-STARTED/suspension": told(
            "TransferSuspensionMessage", "theirs-t-PROVIDER-STARTED", "t-PROVIDER-STARTED"
        ),
        "catalog/request": told("CatalogRequestMessage", "c", "p"),
    }
    for path, message in good.items():
        assert asyncio.run(answered(path, json.dumps(message).encode())) < 300, path
