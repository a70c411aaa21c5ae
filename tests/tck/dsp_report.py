"""What the conformance kit of the Dataspace Protocol said: its tests by family, and whether that is all of them."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tests.tck.kit_report import KitReport

DEMANDED: Final = {"MET": 1, "CAT": 3, "CN": 15, "CN_C": 16, "TP": 15, "TP_C": 15}
"""How many tests of each family must pass: all that dsp-tck 1.0.0-RC6 enables. A kit may bring more, never fewer."""
_END: Final = "Test run complete\n"
_DEFINED: Final = re.compile(r"^(ENABLED|DISABLED): ([A-Z][A-Z_]*:\d\d-\d\d)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class DspReport:
    """`enabled` and `disabled`: the tests that the kit's classes define. `results`: those that were run.

    `failures`: what the kit says about the failed ones, or all that it said when it did not come to its end.
    """

    enabled: frozenset[str]
    disabled: frozenset[str]
    results: KitReport
    failures: str = ""

    @classmethod
    def of(cls, output: str) -> "DspReport":
        """The report in the output of `DspTck.java`."""
        defined = _DEFINED.findall(output)
        return cls(
            enabled=frozenset(test for word, test in defined if word == "ENABLED"),
            disabled=frozenset(test for word, test in defined if word == "DISABLED"),
            results=KitReport.of(output),
            failures=_failures_in(output),
        )

    def passed(self) -> bool:
        """Whether every test that the kit enables was successful, and the kit enables all that we demand."""
        enabled = _by_family(self.enabled)
        return (
            self.results.successful == self.enabled
            and not self.results.unsuccessful
            and all(enabled[family] >= demanded for family, demanded in DEMANDED.items())
        )

    def __str__(self) -> str:
        passed, enabled, disabled = map(_by_family, (self.results.successful, self.enabled, self.disabled))
        lines = ["family  passed  enabled  demanded  disabled"]
        for family in [*DEMANDED, *sorted(enabled.keys() - DEMANDED.keys())]:
            counts = passed[family], enabled[family], DEMANDED.get(family, 0), disabled[family]
            lines.append("{:<6}  {:>6}  {:>7}  {:>8}  {:>8}".format(family, *counts))
        counts = passed.total(), enabled.total(), sum(DEMANDED.values()), disabled.total()
        lines.append("{:<6}  {:>6}  {:>7}  {:>8}  {:>8}".format("all", *counts))
        not_run = self.enabled - self.results.successful - self.results.unsuccessful
        for what, tests in (("failed", self.results.unsuccessful), ("not run", not_run)):
            lines += [f"{what}: {', '.join(sorted(tests))}"] if tests else []
        return "\n".join(lines)


def _failures_in(output: str) -> str:
    if _END not in output:
        return output
    _, title, failures = output.partition("Failures:")
    return f"{title}{failures.removesuffix(_END)}"


def _by_family(tests: Iterable[str]) -> Counter[str]:
    return Counter(test.partition(":")[0] for test in tests)
