"""ObjectIndex: what a place lists, to be matched with a manifest in whatever order either comes, in little memory."""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Final, Self

from azure_storage.receipt_place import PlacedObject

_TEMPORARY: Final = ""
"""SQLite's name of a private database that lies in memory while it is small, then in a file that deletes itself."""
_CACHE_KIBIBYTES: Final = 8192


class ObjectIndex:
    """A set of objects by name that outgrows memory without harm. Not for use by two threads at once."""

    def __init__(self) -> None:
        self._database = sqlite3.connect(_TEMPORARY, check_same_thread=False, isolation_level=None)
        for pragma in (f"cache_size = -{_CACHE_KIBIBYTES}", "journal_mode = OFF", "synchronous = OFF"):
            self._database.execute(f"PRAGMA {pragma}")
        self._database.execute(
            "CREATE TABLE object (name BLOB PRIMARY KEY, size INTEGER, etag TEXT, md5 BLOB) WITHOUT ROWID"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def add(self, objects: Sequence[PlacedObject]) -> None:
        """Put objects in; a name that is there already is replaced."""
        rows = [
            (found.name.encode(errors="surrogateescape"), found.size_bytes, found.etag, found.content_md5)
            for found in objects
        ]
        self._database.execute("BEGIN")
        self._database.executemany("INSERT OR REPLACE INTO object VALUES (?, ?, ?, ?)", rows)
        self._database.execute("COMMIT")

    def take(self, names: Sequence[str]) -> list[PlacedObject | None]:
        """Take the objects of these names out; None in the place of each that is not there."""
        self._database.execute("BEGIN")
        taken = [self._take(name) for name in names]
        self._database.execute("COMMIT")
        return taken

    def rest(self) -> Iterator[PlacedObject]:
        """What was not taken."""
        for row in self._database.execute("SELECT name, size, etag, md5 FROM object ORDER BY name"):
            yield _placed(row)

    def _take(self, name: str) -> PlacedObject | None:
        key = (name.encode(errors="surrogateescape"),)
        row = self._database.execute("SELECT name, size, etag, md5 FROM object WHERE name = ?", key).fetchone()
        self._database.execute("DELETE FROM object WHERE name = ?", key)
        return _placed(row) if row else None


def _placed(row: tuple[bytes, int, str, bytes | None]) -> PlacedObject:
    name, size, etag, md5 = row
    return PlacedObject(name.decode(errors="surrogateescape"), size, etag, md5)
