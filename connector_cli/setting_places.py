"""Where a setting stands: from the places that pydantic names to what an operator wrote, and the keys known there."""

from typing import Any, Final, Literal, TypeGuard, get_args, get_origin

from pydantic import BaseModel

from connector_cli.settings import ConnectorSettings

Location = tuple[int | str, ...]
_NOWHERE: Final = object()
"""The annotation of a place that no model describes."""


def written_place(location: Location) -> str:
    """The place as in the file, such as `storage.accounts[0].name`; pydantic adds the chosen kind to unions."""
    parts, _ = _walked(location)
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return text.removeprefix(".")


def known_keys(location: Location) -> list[str]:
    """The keys that the table at this place may hold."""
    _, annotation = _walked(location)
    return sorted({name for member in _members(annotation) if _is_model(member) for name in member.model_fields})


def _walked(location: Location) -> tuple[list[int | str], Any]:
    """The parts that an operator wrote, and the annotation that the last one leads to."""
    written: list[int | str] = []
    annotation: Any = ConnectorSettings
    for part in location:
        kind = _of_kind(annotation, part)
        annotation = _step(annotation, part) if kind is None else kind
        if kind is None:
            written.append(part)
    return written, annotation


def _step(annotation: Any, part: int | str) -> Any:
    for member in _members(annotation):
        if _is_model(member) and part in member.model_fields:
            return member.model_fields[str(part)].annotation
        if get_origin(member) in {tuple, list} and isinstance(part, int):
            return get_args(member)[0]
        if get_origin(member) is dict:
            return get_args(member)[1]
    return _NOWHERE


def _of_kind(annotation: Any, part: int | str) -> type[BaseModel] | None:
    """The member of a union that calls itself so."""
    members = [member for member in _members(annotation) if _is_model(member)]
    for member in members if len(members) > 1 else []:
        if any(part in _literals(field.annotation) for field in member.model_fields.values()):
            return member
    return None


def _members(annotation: Any) -> tuple[Any, ...]:
    """What a union may be, without annotations around it; the annotation alone when it is no union."""
    while hasattr(annotation, "__metadata__"):
        annotation = annotation.__origin__
    if _is_model(annotation) or get_origin(annotation) in {tuple, list, dict, Literal, None}:
        return (annotation,)
    return tuple(inner for member in get_args(annotation) for inner in _members(member))


def _literals(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def _is_model(annotation: Any) -> TypeGuard[type[BaseModel]]:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
