"""Tells the steps of a transfer as they happen, from what the processes log.

The numbers are those of the eighteen steps in docs/architecture.md.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rich.console import Console


@dataclass(frozen=True, slots=True)
class Sign:
    """A log record that shows a step: which process, which message, and which facts it must carry."""

    step: str
    process: str
    message: str
    text: str
    facts: tuple[tuple[str, str], ...] = ()

    def matches(self, process: str, record: dict[str, Any]) -> bool:
        """Whether the record shows this step."""
        return (
            process == self.process
            and record.get("message") == self.message
            and all(str(record.get(name)) == value for name, value in self.facts)
        )


_MOVED: Final = "transfer process moved"
SIGNS: Final = (
    Sign("2", "consumer", _MOVED, "consumer opens its storage account", (("state", "PROVISIONING"),)),
    Sign("3", "consumer", "destination provisioned", "consumer has created the container and minted a write-only SAS"),
    Sign("4", "consumer", "credential stored in the vault", "consumer keeps the SAS in its vault"),
    Sign("5", "consumer", _MOVED, "consumer has sent the TransferRequestMessage", (("state", "REQUESTED"),)),
    Sign("6", "provider", "credential stored in the vault", "provider keeps the SAS in its own vault"),
    Sign("7", "provider", _MOVED, "provider has started the flow on its data plane", (("state", "STARTING"),)),
    Sign(
        "8-9",
        "data plane",
        "the flow's source and destination are open",
        "data plane has resolved both credentials from the vault",
    ),
    Sign("10-11", "data plane", "the flow is planned", "AzureStorageDataSource is read, AzureStorageDataSink written"),
    Sign(
        "12",
        "data plane",
        "the worker is done with the flow",
        "everything is published, .complete last",
        (("state", "COMPLETED"),),
    ),
    Sign("13", "consumer", "everything is placed", "consumer has moved what arrived into the client's own container"),
    Sign("13", "consumer", _MOVED, "consumer has found and checked .complete", (("state", "COMPLETED"),)),
    Sign(
        "16",
        "consumer",
        _MOVED,
        "consumer has deleted the SAS (and revoked one by account key)",
        (("resources", "REVOKED"),),
    ),
    Sign("16", "provider", _MOVED, "provider has deleted its copy of the SAS", (("resources", "REVOKED"),)),
    Sign("17-18", "consumer", _MOVED, "consumer has deleted the container", (("resources", "DEPROVISIONED"),)),
    Sign("!", "data plane", "the worker is done with the flow", "data plane ends the flow", (("state", "TERMINATED"),)),
    Sign("!", "consumer", _MOVED, "consumer learns the failure", (("state", "TERMINATED"),)),
)


@dataclass(slots=True)
class Narrator:
    """Follows log files by name of process."""

    console: Console
    logs: dict[str, Path]
    _offsets: dict[str, int] = field(default_factory=dict)
    _told: set[tuple[str, str]] = field(default_factory=set)

    def begin(self) -> None:
        """Forget what was told; what is in the logs by now is not told again."""
        self._told.clear()
        for _ in self._new_records():
            pass

    def tell(self) -> None:
        """Print the steps that happened since the last call, each once."""
        for process, record in sorted(self._new_records(), key=lambda found: str(found[1].get("timestamp", ""))):
            for sign in SIGNS:
                if sign.matches(process, record) and (sign.step, sign.text) not in self._told:
                    self._told.add((sign.step, sign.text))
                    self.step(sign.step, sign.text)

    def step(self, number: str, text: str) -> None:
        """Print one step."""
        self.console.print(f"  [bold cyan]{number:>5}[/]  {text}", highlight=False)

    @property
    def steps_told(self) -> frozenset[str]:
        """Numbers of the steps that were seen in the logs."""
        return frozenset(step for step, _ in self._told)

    def _new_records(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for process, path in self.logs.items():
            with path.open("rb") as log:
                log.seek(self._offsets.get(process, 0))
                for line in log:
                    if not line.endswith(b"\n"):
                        break
                    self._offsets[process] = self._offsets.get(process, 0) + len(line)
                    try:
                        record = json.loads(line)
                    except ValueError:
                        continue
                    if isinstance(record, dict):
                        yield process, record
