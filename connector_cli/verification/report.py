"""What a verification found, counted for all objects and named for as many as anybody reads."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from azure_storage.markers import CompleteMarker
from azure_storage.placement_record import PlacementRecord

NAMED_AT_MOST: Final = 1000


class Finding(StrEnum):
    """What can be said of one object."""

    OK = "ok"
    MISSING = "missing"
    EXTRA = "extra"
    SIZE_DIFFERS = "size differs"
    DIGEST_DIFFERS = "digest differs"
    NOT_VERIFIABLE = "not verifiable"
    """It cannot be read, or the receipt has no digest of it."""
    SKIPPED = "skipped"
    """It was left out of a container that exists, for its name was taken; so was the wish."""
    RENAMED = "renamed"
    """It is right, under another name, for its own was taken."""
    NOT_READ = "not read"
    """It is there with the right size; its content was not looked at because that was not wished."""


MISMATCHES: Final = frozenset({Finding.MISSING, Finding.EXTRA, Finding.SIZE_DIFFERS, Finding.DIGEST_DIFFERS})


class Outcome(StrEnum):
    """What a verification comes to."""

    OK = "ok"
    MISMATCH = "mismatch"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class NamedFinding:
    """An object that is not as it should be."""

    name: str
    finding: Finding
    reason: str


@dataclass(slots=True)
class Report:
    """Grows while objects are checked."""

    receipt: CompleteMarker
    signature: str
    placement: PlacementRecord | None = None
    """How it was moved into a container that holds other objects, if it was."""
    counts: Counter[Finding] = field(default_factory=Counter)
    named: list[NamedFinding] = field(default_factory=list)
    bytes_read: int = 0

    def note(self, name: str, finding: Finding, reason: str = "") -> None:
        """Count an object; name it when something is wrong with it."""
        self.counts[finding] += 1
        if finding not in {Finding.OK, Finding.NOT_READ} and len(self.named) < NAMED_AT_MOST:
            self.named.append(NamedFinding(_printable(name), finding, _printable(reason)))

    @property
    def outcome(self) -> Outcome:
        """All together: a mismatch counts more than what could not be checked."""
        if any(self.counts[finding] for finding in MISMATCHES):
            return Outcome.MISMATCH
        return Outcome.NOT_CHECKED if self.counts[Finding.NOT_VERIFIABLE] else Outcome.OK

    @property
    def left_out(self) -> int:
        """Findings that are counted and not named."""
        quiet = self.counts[Finding.OK] + self.counts[Finding.NOT_READ]
        return self.counts.total() - quiet - len(self.named)

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "outcome": self.outcome.value,
            "receipt": self.receipt.model_dump(mode="json", by_alias=True, exclude={"signature", "nonce"}),
            "signature": self.signature,
            "placement": self.placement
            and self.placement.model_dump(mode="json", by_alias=True, exclude={"placed_by"}),
            "objects": {finding.value: self.counts[finding] for finding in Finding},
            "bytesRead": self.bytes_read,
            "findings": [
                {"name": each.name, "finding": each.finding.value, "reason": each.reason} for each in self.named
            ],
            "findingsLeftOut": self.left_out,
        }


def _printable(text: str) -> str:
    """Names of files may hold bytes that are no text."""
    return text.encode(errors="replace").decode()
