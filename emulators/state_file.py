"""What an emulator keeps over a restart: one file, replaced as a whole, so that `kill -9` never leaves half of it."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

State = TypeVar("State", bound=BaseModel)


def read_state(path: Path | None, kind: type[State]) -> State:
    """What was saved, or an empty state where there is no file."""
    if path is None or not path.exists():
        return kind()
    return kind.model_validate_json(path.read_bytes())


def save_state(path: Path | None, state: BaseModel) -> None:
    """Replace the file. Nothing to do without one: then the state is lost when the process ends."""
    if path is None:
        return
    half = path.with_suffix(".half")
    half.touch(mode=0o600)
    half.write_text(state.model_dump_json(), encoding="utf-8")
    half.replace(path)
