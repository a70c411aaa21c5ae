"""Reads what a conformance kit prints: it exits with 0 whatever happened and prints no totals, so lines are counted."""

import re
from dataclasses import dataclass
from typing import Final

_RESULT: Final = re.compile(r"\b(SUCCESSFUL|FAILED|ABORTED): ([A-Z][A-Z_]*:\d\d-\d\d)")


@dataclass(frozen=True, slots=True)
class KitReport:
    """Test ids by their results."""

    successful: frozenset[str]
    unsuccessful: frozenset[str]

    @classmethod
    def of(cls, output: str) -> "KitReport":
        """The report in a kit's output; a test that has both results has failed."""
        results = _RESULT.findall(output)
        bad = frozenset(test for result, test in results if result != "SUCCESSFUL")
        return cls(frozenset(test for _, test in results) - bad, bad)

    def passed(self, expected: int) -> bool:
        """Whether exactly so many tests ran, and all of them were successful."""
        return not self.unsuccessful and len(self.successful) == expected

    def __str__(self) -> str:
        failed = "".join(f"\n  failed: {test}" for test in sorted(self.unsuccessful))
        return f"{len(self.successful)} passed, {len(self.unsuccessful)} failed{failed}"
