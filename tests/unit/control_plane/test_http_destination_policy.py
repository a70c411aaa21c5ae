"""What a consumer may name as the destination of an HTTP push, and where its token goes."""

from typing import Any

import pytest

from connector_spi.data_address import DataAddress
from connector_spi.errors import InvalidInputError
from connector_spi.outbound_addresses import OutboundAddressPolicy
from control_plane.adapters.destination_policies import DestinationPolicies
from control_plane.adapters.http_destination_policy import HttpDestinationPolicy
from control_plane.domain.completion_proof import CompletionProof, completion_proof, leaves_marker
from tests.control_plane_entities import transfer_process
from tests.unit.control_plane.protocol_rig import ProtocolRig, transfer_request

INBOX = "https://them.example/public/inbox/abc/"
POLICY = DestinationPolicies({"HttpData": HttpDestinationPolicy(OutboundAddressPolicy())})


def address(**changes: str) -> DataAddress:
    named = {"endpoint": INBOX, "authType": "bearer", "authorization": "PLANTED-token", **changes}
    return DataAddress("HttpData", {name: value for name, value in named.items() if value})


def test_only_what_is_understood_is_kept_and_the_token_is_a_secret_like_any_other() -> None:
    sent = address(keyName="of-the-provider", transferNonce="n", more="y", consumerProcessId="c")
    accepted = POLICY.accept(sent)
    assert accepted.properties == {
        "endpoint": INBOX,
        "authType": "bearer",
        "transferNonce": "n",
        "secret": "PLANTED-token",
    }
    assert "PLANTED" not in repr(accepted)
    assert POLICY.accept(accepted) == accepted, "as a renewed credential comes"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"endpoint": ""}, "endpoint"),
        ({"endpoint": "http://them.example/"}, "scheme"),
        ({"endpoint": "https://127.0.0.1/x"}, "not allowed"),
        ({"endpoint": "https://10.0.0.8/x"}, "not allowed"),
        ({"endpoint": "https://[::1]/x"}, "not allowed"),
        ({"endpoint": "https://user:PLANTED@them.example/x"}, "endpoint"),
        ({"endpoint": "https://them.example/x?sig=PLANTED"}, "endpoint"),
        ({"queryParams": "sig=PLANTED"}, "queryParams"),
        ({"header:X-Api-Key": "PLANTED"}, "header:X-Api-Key"),
        ({"authorization": ""}, "authorization"),
        ({"authorization": "PLANTED\r\nX: y"}, "authorization"),
        ({"authorization": "P" * 9000}, "authorization"),
    ],
)
def test_an_address_that_must_not_be_called_is_refused(changes: dict[str, str], named: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        POLICY.accept(address(**changes))
    assert named in refused.value.message
    assert "PLANTED" not in refused.value.message


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (
            {"baseUrl": INBOX, "authKey": "X-Key", "authCode": "PLANTED-token"},
            {"endpoint": INBOX, "method": "POST", "authHeader": "X-Key", "secret": "PLANTED-token"},
        ),
        (
            {"baseUrl": INBOX, "method": "PUT", "authCode": "PLANTED-token", "authType": "bearer"},
            {"endpoint": INBOX, "method": "PUT", "authHeader": "Authorization", "secret": "PLANTED-token"},
        ),
        (
            {"baseUrl": INBOX, "endpoint": INBOX, "authorization": "PLANTED-token", "authType": "bearer"}
            | {"authKey": "Authorization", "authCode": "Bearer PLANTED-token"},
            {"endpoint": INBOX, "authType": "bearer", "secret": "PLANTED-token"},
        ),
    ],
    ids=["a stock EDC's", "that says how to call it", "in both languages"],
)
def test_the_words_of_edc_are_understood_and_those_of_the_specification_count_first(
    sent: dict[str, str], kept: dict[str, str]
) -> None:
    accepted = POLICY.accept(DataAddress("HttpData", sent))
    assert accepted.properties == kept
    assert POLICY.accept(accepted) == accepted, "as a renewed credential comes"


def test_a_type_without_a_policy_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="HttpData"):
        POLICY.accept(DataAddress("Ftp", {}))


async def test_a_request_for_an_http_push_is_taken_and_its_token_rests_in_the_vault_alone() -> None:
    protocol = ProtocolRig()
    protocol.data_plane.serves = ("AzureStorage-PUSH", "HttpData-PUSH")
    await protocol.agreed()
    sent: dict[str, Any] = {
        "@type": "DataAddress",
        "endpointType": "HttpData",
        "endpoint": INBOX,
        "endpointProperties": [
            {"@type": "EndpointProperty", "name": "authType", "value": "bearer"},
            {"@type": "EndpointProperty", "name": "authorization", "value": "PLANTED-token"},
        ],
    }
    body = transfer_request(format="HttpData-PUSH", dataAddress=sent)
    answer = await protocol.call("POST", "transfers/request", json=body)
    assert answer.status_code == 201, answer.text
    process = await protocol.stores.transfer_processes.find(answer.json()["providerPid"])
    assert process is not None
    alias = f"transfer-process-{process.id}-data-address"
    assert protocol.secrets == {alias: "PLANTED-token"}
    assert process.data_destination == DataAddress(
        "HttpData", {"endpoint": INBOX, "authType": "bearer", "keyName": alias}
    )


@pytest.mark.parametrize(
    ("transfer_type", "data_plane_id", "trusted", "proof", "marker"),
    [
        ("AzureStorage-PUSH", None, False, CompletionProof.MARKER, True),
        ("AzureStorage-PUSH", None, True, CompletionProof.MESSAGE, True),
        ("AzureStorage-PUSH", "plane-1", False, CompletionProof.DATA_PLANE, False),
        ("HttpData-PUSH", "plane-1", False, CompletionProof.DATA_PLANE, False),
        ("HttpData-PUSH", None, False, CompletionProof.MESSAGE, False),
        ("HttpData-PULL", None, False, CompletionProof.MESSAGE, False),
        ("HttpData-PULL", "plane-1", False, CompletionProof.DATA_PLANE, False),
    ],
)
def test_what_a_transfer_completes_on(
    transfer_type: str, data_plane_id: str | None, *, trusted: bool, proof: CompletionProof, marker: bool
) -> None:
    process = transfer_process(transfer_type=transfer_type, data_plane_id=data_plane_id)
    trusting = {process.counter_party_id} if trusted else set()
    assert (completion_proof(process, trusting=trusting), leaves_marker(process)) == (proof, marker)
