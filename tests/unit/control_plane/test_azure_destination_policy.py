"""What a consumer may name as a destination; the refusals are in test_protocol_transfers."""

from connector_spi.data_address import DataAddress
from control_plane.adapters.azure_destination_policy import AzureDestinationPolicy
from tests.unit.control_plane.protocol_rig import ENDPOINTS, SAS

NAMED = {"account": "consumerorg", "container": "for-t-1", "folderName": "in/here", "secret": SAS}


def test_only_what_is_understood_is_kept() -> None:
    sent = DataAddress(
        "AzureStorage", {**NAMED, "keyName": "of-the-provider", "authKey": "x", "transferNonce": "n" * 300, "more": "y"}
    )
    accepted = AzureDestinationPolicy(ENDPOINTS).accept(sent)
    assert accepted == DataAddress("AzureStorage", {**NAMED, "transferNonce": "n" * 256})
