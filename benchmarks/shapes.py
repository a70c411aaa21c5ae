"""What is copied: how many objects, and how large."""

from dataclasses import dataclass, replace
from typing import Final

KIBIBYTE: Final = 1024
MEBIBYTE: Final = 1024 * KIBIBYTE


@dataclass(frozen=True, slots=True)
class Shape:
    """`objects` blobs of `object_bytes` each."""

    name: str
    objects: int
    object_bytes: int

    @property
    def total_bytes(self) -> int:
        """Bytes of all objects together."""
        return self.objects * self.object_bytes

    @property
    def text(self) -> str:
        """As people write it: `50 x 20 MiB`."""
        unit, name = (MEBIBYTE, "MiB") if self.object_bytes >= MEBIBYTE else (KIBIBYTE, "KiB")
        return f"{self.objects:,} x {self.object_bytes / unit:,.4g} {name}"

    def scaled(self, factor: float) -> "Shape":
        """The same shape with less (or more) in it: fewer objects, or a smaller one where it is the only one."""
        if self.objects == 1:
            return replace(self, object_bytes=max(1, round(self.object_bytes * factor)))
        return replace(self, objects=max(1, round(self.objects * factor)))


SHAPES: Final = {
    shape.name: shape
    for shape in (
        Shape("one", 1, 1024 * MEBIBYTE),
        Shape("mid", 50, 20 * MEBIBYTE),
        Shape("small", 2000, 64 * KIBIBYTE),
    )
}

SMOKE_SHAPES: Final = {
    shape.name: shape
    for shape in (
        Shape("one", 1, 24 * MEBIBYTE + 5),
        Shape("mid", 3, 9 * MEBIBYTE),
        Shape("small", 30, 64 * KIBIBYTE),
    )
}
"""For a run of seconds that proves that everything works; times mean nothing then."""
