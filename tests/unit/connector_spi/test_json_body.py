"""Bodies of others are read within limits, and what cannot be kept is refused at the edge."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from connector_spi import json_body
from connector_spi.errors import ConnectorError, InvalidInputError
from connector_spi.json_body import BODY_MAX_DEPTH, BodyTooLargeError, parsed_object, read_json_object, validated


@dataclass
class Streamed:
    """A request that arrives in pieces."""

    pieces: list[bytes]
    headers: Mapping[str, str] = field(default_factory=dict)
    read: int = 0
    pause: float = 0

    async def stream(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            await asyncio.sleep(self.pause)
            self.read += 1
            yield piece


class Inner(BaseModel):
    secret: str = Field(max_length=5)


class Outer(BaseModel):
    inner: list[Inner]


async def test_a_body_in_pieces_is_put_together() -> None:
    assert await read_json_object(Streamed([b'{"a"', b": [1, ", b"2.5]}"])) == {"a": [1, 2.5]}


@pytest.mark.parametrize("pieces", [[], [b""], [b"  \r\n"]])
async def test_an_empty_body_is_an_empty_object(pieces: list[bytes]) -> None:
    assert await read_json_object(Streamed(pieces)) == {}


async def test_no_more_than_the_limit_is_read() -> None:
    request = Streamed([b"x" * 10] * 100)
    with pytest.raises(BodyTooLargeError, match="25 bytes"):
        await read_json_object(request, max_bytes=25)
    assert request.read == 3


async def test_a_body_of_exactly_the_limit_is_taken() -> None:
    assert await read_json_object(Streamed([b'{"a": 1}']), max_bytes=8) == {"a": 1}


async def test_a_body_that_does_not_arrive_in_time_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_body, "BODY_MAX_SECONDS", 0.05)
    with pytest.raises(InvalidInputError, match=r"within 0\.05 seconds"):
        await read_json_object(Streamed([b" "] * 1000, pause=0.01))


@pytest.mark.parametrize("depth", [1, BODY_MAX_DEPTH - 1])
def test_what_is_nested_within_the_limit_is_taken(depth: int) -> None:
    assert parsed_object(b'{"a":' * depth + b"1" + b"}" * depth)
    assert parsed_object(b'{"a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}" if depth > 1 else b'{"a":1}')


@pytest.mark.parametrize("depth", [BODY_MAX_DEPTH, 900, 200_000])
def test_what_is_nested_deeper_is_refused(depth: int) -> None:
    for body in (b'{"a":' * depth + b"1" + b"}" * depth, b'{"a":' + b"[" * depth + b"]" * depth + b"}"):
        with pytest.raises(InvalidInputError):
            parsed_object(body)


@pytest.mark.parametrize(
    "body",
    [
        *(b"{", b"[]", b"null", b"1", b'"x"', b"\xff\xfe{", b'{"a": "\xff"}', b"{'a': 1}", b'{"a": 1} x'),
        *(b'{"a": NaN}', b'{"a": Infinity}', b'{"a": -Infinity}', b'{"a": 1e999}', b'{"a": [-1e999]}'),
        *(b'{"a": "\\u0000"}', b'{"\\u0000": 1}', b'{"a": ["\\ud800"]}', b'{"a": {"\\udfff": 1}}'),
    ],
)
def test_what_is_no_plain_object_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInputError, match="Send one JSON object"):
        parsed_object(body)


def test_characters_beyond_the_first_plane_are_kept() -> None:
    assert parsed_object('{"a": "\\ud83d\\ude00 \u00e9 \U0001f600"}'.encode()) == {"a": "\U0001f600 \u00e9 \U0001f600"}


@given(st.binary(max_size=200))
def test_no_bytes_do_anything_but_parse_or_be_refused(body: bytes) -> None:
    try:
        parsed_object(body)
    except InvalidInputError:
        return


_texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
)


@given(st.dictionaries(_texts, _values, max_size=4))
def test_a_plain_object_comes_through_as_it_is(value: dict[str, Any]) -> None:
    assert parsed_object(json.dumps(value).encode()) == value


def test_a_wrong_member_is_named_and_its_value_is_not_shown() -> None:
    with pytest.raises(InvalidInputError, match=r"inner\.0\.secret") as refused:
        validated(Outer, {"inner": [{"secret": "PLANTED"}]})
    assert "PLANTED" not in str(refused.value)


def test_a_body_that_is_wrong_as_a_whole_is_a_refusal_too() -> None:
    with pytest.raises(ConnectorError, match="inner"):
        validated(Outer, {})
