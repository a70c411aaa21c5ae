from azure_storage.object_index import ObjectIndex
from azure_storage.receipt_place import PlacedObject


def _placed(name: str, size: int = 1) -> PlacedObject:
    return PlacedObject(name, size, '"0x1"', b"\0" * 16)


NAMES = ["b", "a/\u00e9", "a-b", "\U0001f600", "\uffee", "nul\0", "undecodable\udcff", ""]


def test_what_is_put_in_comes_out_once_whatever_the_order_and_the_name() -> None:
    with ObjectIndex() as index:
        index.add([_placed(name, at) for at, name in enumerate(NAMES)])
        order = list(reversed(NAMES))
        assert index.take(order) == [_placed(name, NAMES.index(name)) for name in order]
        assert index.take(NAMES) == [None] * len(NAMES)
        assert list(index.rest()) == []


def test_the_rest_is_what_nobody_took() -> None:
    with ObjectIndex() as index:
        index.add([_placed("a"), _placed("b")])
        index.add([_placed("c")])
        assert index.take(["b", "B"]) == [_placed("b"), None]
        assert [found.name for found in index.rest()] == ["a", "c"]


def test_an_object_without_md5_has_none() -> None:
    with ObjectIndex() as index:
        index.add([PlacedObject("a", 2**40)])
        assert index.take(["a"]) == [PlacedObject("a", 2**40)]
