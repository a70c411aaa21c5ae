"""What the demo promised, and whether it held."""

from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table


@dataclass(slots=True)
class Checklist:
    """Promises in the order in which they were looked at."""

    console: Console
    _rows: list[tuple[str, str, bool, str]] = field(default_factory=list)

    def note(self, part: str, promise: str, *, held: bool, seen: str = "") -> None:
        """Record whether a promise held, and what was seen."""
        self._rows.append((part, promise, held, seen))
        mark = "[green]✔[/]" if held else "[bold red]✘[/]"
        self.console.print(f"    {mark} {promise}" + (f" [dim]({seen})[/]" if seen else ""), highlight=False)

    @property
    def all_held(self) -> bool:
        """Whether everything was as promised; false when nothing was looked at."""
        return bool(self._rows) and all(held for _, _, held, _ in self._rows)

    def print_summary(self) -> None:
        """One line for each promise, and the broken ones once more at the end."""
        table = Table(title="Summary", show_lines=False)
        for heading in ("Part", "Promise", "Held", "Seen"):
            table.add_column(heading, overflow="fold")
        for part, promise, held, seen in self._rows:
            table.add_row(part, promise, "[green]yes[/]" if held else "[bold red]NO[/]", seen)
        self.console.print(table)
        for part, promise, held, seen in self._rows:
            if not held:
                self.console.print(f"[bold red]Not held:[/] {part}: {promise} ({seen})", highlight=False)
