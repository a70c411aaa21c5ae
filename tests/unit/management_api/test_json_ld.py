from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_spi.errors import InvalidInputError
from management_api.json_ld import KNOWN_CONTEXTS, read

EDC = "https://w3id.org/edc/v0.0.1/ns/"
ODRL = "http://www.w3.org/ns/odrl/2/"


def reading(document: object) -> dict[str, Any]:
    return read(document, max_depth=32)


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"assetId": "a"}, id="no context"),
        pytest.param({"@context": {"@vocab": EDC}, "assetId": "a"}, id="vocabulary"),
        pytest.param({"@context": {}, "assetId": "a"}, id="empty context"),
        pytest.param({"@context": None, "assetId": "a"}, id="null context"),
        pytest.param({"@context": [], "assetId": "a"}, id="empty list"),
        pytest.param({"@context": {"edc": EDC}, "edc:assetId": "a"}, id="prefix"),
        pytest.param({"@context": {"e": EDC}, "e:assetId": "a"}, id="other prefix"),
        pytest.param({"edc:assetId": "a"}, id="prefix that is not declared"),
        pytest.param({"@context": {"odrl": ODRL}, "assetId": "a"}, id="context without vocabulary"),
        pytest.param({EDC + "assetId": "a"}, id="full IRI"),
        pytest.param({EDC + "assetId": [{"@value": "a"}]}, id="expanded"),
        pytest.param({"@context": "https://w3id.org/edc/connector/management/v2", "assetId": "a"}, id="known"),
        pytest.param({"@context": [*sorted(KNOWN_CONTEXTS), {"@vocab": EDC}], "assetId": "a"}, id="list of contexts"),
        pytest.param({"@context": {"asset": {"@id": "edc:assetId", "@type": "@id"}}, "asset": "a"}, id="own term"),
        pytest.param({"@context": {"x": None}, "x": 1, "assetId": "a"}, id="term without meaning"),
    ],
)
def test_every_way_to_write_a_name_is_read_the_same(document: dict[str, Any]) -> None:
    assert reading(document) in ({"assetId": "a"}, {"assetId": ["a"]})


def test_odrl_names_keep_their_prefix_and_others_their_iri() -> None:
    found = reading({ODRL + "permission": [], "odrl:target": 1, "dct:type": 2, "urn:x:y": 3})
    assert found == {"odrl:permission": [], "odrl:target": 1, "http://purl.org/dc/terms/type": 2, "urn:x:y": 3}


def test_a_foreign_vocabulary_does_not_become_ours() -> None:
    assert reading({"@context": {"@vocab": "https://other.example/"}, "assetId": "a"}) == {
        "https://other.example/assetId": "a"
    }


def test_a_context_counts_where_it_stands_and_below() -> None:
    found = reading({"policy": {"@context": {"@vocab": ODRL}, "permission": {"action": 1}}, "permission": 2})
    assert found == {"policy": {"odrl:permission": {"odrl:action": 1}}, "permission": 2}


def test_values_and_lists_are_unwrapped_and_ids_stay() -> None:
    document = {"a": {"@value": True}, "b": {"@list": [1, {"@value": "x"}]}, "c": {"@id": "i"}, "d": {"@set": []}}
    assert reading(document) == {"a": True, "b": [1, "x"], "c": {"@id": "i"}, "d": []}


def test_types_are_named_like_members_and_ids_are_left_alone() -> None:
    document = {"@context": {"type": "@type"}, "type": [EDC + "Asset", "odrl:Set"], "@id": "edc:my asset"}
    assert reading(document) == {"@type": ["Asset", "odrl:Set"], "@id": "edc:my asset"}


@pytest.mark.parametrize(
    ("document", "field"),
    [
        pytest.param([], "body", id="a list"),
        pytest.param("text", "body", id="a text"),
        pytest.param({"@value": {"a": 1}, "@type": "@json"}, None, id="a value that is an object"),
        pytest.param({"@value": 1}, "body", id="a value"),
        pytest.param({"@context": 7}, "@context", id="a number as context"),
        pytest.param({"@context": [True]}, "@context", id="a boolean in the list"),
        pytest.param({"@context": [[{}]]}, "@context", id="a list in the list"),
        pytest.param({"@context": "https://unknown.example/c.jsonld"}, "@context", id="unknown remote"),
        pytest.param({"@context": {"@import": "https://unknown.example/c.jsonld"}}, "@context", id="unknown import"),
        pytest.param({"@context": {"@import": []}}, "@context", id="an import that is no text"),
        pytest.param({"@context": {"@vocab": 1}}, "@context.@vocab", id="a number as vocabulary"),
        pytest.param({"@context": {"term": 1}}, "@context.term", id="a number as term"),
        pytest.param({"a": {"@context": 7}}, "@context", id="a bad context further down"),
        pytest.param({"assetId": 1, "edc:assetId": 2}, "body.assetId", id="twice"),
        pytest.param({"@graph": []}, "body", id="unsupported keyword"),
        pytest.param({"a": "\ud800"}, "body.a", id="half a surrogate pair"),
        pytest.param({"a\x00": 1}, "body", id="NUL in a name"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(document: object, field: str | None) -> None:
    if field is None:
        assert reading(document) == {"a": 1}
        return
    with pytest.raises(InvalidInputError) as refused:
        reading(document)
    assert refused.value.field == field


def test_an_unknown_context_is_told_what_to_use_instead() -> None:
    with pytest.raises(InvalidInputError, match="fetches none") as refused:
        reading({"@context": "https://unknown.example/c.jsonld"})
    assert EDC in refused.value.message


def test_nesting_has_a_limit() -> None:
    document: dict[str, Any] = {"a": {"b": {"c": 1}}}
    assert read(document, max_depth=4) == document
    with pytest.raises(InvalidInputError, match="nested deeper than 3"):
        read(document, max_depth=3)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["@context", "@id", "@type", "@value", "@vocab", "@import", "edc:a", "a", "b:c"])
            | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(_json)
def test_any_json_is_read_or_refused_on_purpose(document: Any) -> None:
    with suppress(InvalidInputError):
        assert isinstance(reading(document), dict)
