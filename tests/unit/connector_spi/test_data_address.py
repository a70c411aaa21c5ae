"""A DataAddress comes over the wire as it was, and never shows its secrets."""

from hypothesis import given
from hypothesis import strategies as st

from connector_spi.data_address import (
    EDC_NAMESPACE,
    SECRET_PROPERTIES,
    DataAddress,
    DataAddressMessage,
)

names = st.text(min_size=1, max_size=12).filter(lambda name: not name.startswith(EDC_NAMESPACE))
addresses = st.builds(DataAddress, names, st.dictionaries(names, st.text(max_size=12), max_size=5))


@given(addresses)
def test_it_comes_over_the_wire_as_it_was(address: DataAddress) -> None:
    wire = DataAddressMessage.of(address).model_dump(mode="json", by_alias=True, exclude_none=True)
    assert DataAddressMessage.model_validate(wire).to_address() == address


def test_names_are_written_with_edcs_namespace_and_read_with_and_without() -> None:
    wire = DataAddressMessage.of(DataAddress("AzureStorage", {"account": "a", "endpoint": "https://x"})).model_dump()
    assert wire["endpointType"] == "AzureStorage"
    assert wire["endpoint"] == "https://x"
    assert [p["name"] for p in wire["endpointProperties"]] == [EDC_NAMESPACE + "account"]
    plain = {"endpointType": EDC_NAMESPACE + "AzureStorage", "endpointProperties": [{"name": "account", "value": "a"}]}
    assert DataAddressMessage.model_validate(plain).to_address() == DataAddress("AzureStorage", {"account": "a"})


def test_its_repr_shows_no_secret() -> None:
    planted = dict.fromkeys(SECRET_PROPERTIES, "PLANTED")
    shown = repr(DataAddress("AzureStorage", {**planted, "account": "acme"}))
    assert "PLANTED" not in shown
    assert "acme" in shown


def test_a_copy_without_secrets_has_everything_else() -> None:
    planted = dict.fromkeys(SECRET_PROPERTIES, "PLANTED")
    safe = DataAddress("AzureStorage", {**planted, "account": "acme", "keyName": "alias"}).without_secrets()
    assert safe == DataAddress("AzureStorage", {"account": "acme", "keyName": "alias"})


def test_copies_leave_the_original_alone() -> None:
    properties = {"a": "1"}
    address = DataAddress("T", properties)
    properties["a"] = "2"
    assert address.with_properties(b="3").without("a") == DataAddress("T", {"b": "3"})
    assert (address.get("a"), address.get("b"), address.get("b", "-")) == ("1", "", "-")
