"""Bodies that nobody means well with: any JSON, and good messages of which something was changed."""

import json
from collections.abc import Callable
from typing import Any, Final

from hypothesis import strategies as st

_TEXTS: Final = st.text(max_size=12) | st.sampled_from(
    [
        "",
        " ",
        "\0",
        "\ud800",
        "\U0001f600",
        "../../etc",
        "a" * 3000,
        "https://127.0.0.1/x",
        "did:web:us",
        "%00",
        "1e999",
        "2026-01-31T12:00:00Z",
        "9999-12-31T23:59:59+14:00",
    ]
)
SCALARS: Final = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**40), 10**40)
    | st.floats()
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXTS
)
VALUES: Final = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=8) | st.sampled_from(["@id", "@type", "@value", "@list"]), inner, max_size=3)
    ),
    max_leaves=8,
)
"""Anything that JSON can say, and what Python says in its place (NaN, half a surrogate pair)."""


def _nested(value: Any) -> Any:
    for _ in range(100):
        value = [value]
    return value


_CHANGES: Final[tuple[Callable[[Any], Any], ...]] = (
    lambda value: [value],
    lambda value: [value] * 200,
    lambda value: {"@id": value},
    lambda value: {"@value": value},
    lambda value: {"x": value},
    str,
    _nested,
)
_GONE: Final = object()


@st.composite
def changed(draw: st.DrawFn, message: dict[str, Any]) -> bytes:
    """The message with one to three members dropped, replaced, wrapped, doubled or nested, as bytes."""
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(list(_places(message)) or [("x",)]))
        how = draw(st.sampled_from(("drop", "replace", "change", "add")))
        if how == "drop":
            message = _put(message, place, _always(_GONE))
        elif how == "replace":
            message = _put(message, place, _always(draw(VALUES)))
        elif how == "add":
            message = {**message, draw(st.text(max_size=8)): draw(VALUES)}
        else:
            message = _put(message, place, draw(st.sampled_from(_CHANGES)))
    return json.dumps(message).encode()


def _always(new: Any) -> Callable[[Any], Any]:
    return lambda _: new


BODIES: Final = st.binary(max_size=200) | VALUES.map(lambda value: json.dumps(value).encode())


def _places(value: Any) -> list[tuple[Any, ...]]:
    """The way to each member, however deep."""
    if isinstance(value, dict):
        items = list(value.items())
    else:
        items = list(enumerate(value)) if isinstance(value, list) else []
    return [way for key, inner in items for way in [(key,), *((key, *rest) for rest in _places(inner))]]


def _put(value: Any, place: tuple[Any, ...], change: Callable[[Any], Any]) -> Any:
    """The value with one member changed; the same where an earlier change has taken the member away."""
    key, *rest = place
    if isinstance(value, dict) and key in value:
        new = _put(value[key], tuple(rest), change) if rest else change(value[key])
        return {name: new if name == key else old for name, old in value.items() if name != key or new is not _GONE}
    if isinstance(value, list) and isinstance(key, int) and key < len(value):
        new = _put(value[key], tuple(rest), change) if rest else change(value[key])
        return [new if at == key else old for at, old in enumerate(value) if at != key or new is not _GONE]
    return value
