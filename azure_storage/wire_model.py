"""The base of what a transfer leaves as JSON: strict to read, because the reader gets it from an outsider."""

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from azure_storage.errors import MarkerMalformedError


class WireModel(BaseModel):
    """camelCase on the wire, unknown members ignored, no coercion from other JSON types."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, serialize_by_alias=True, frozen=True, strict=True
    )

    def to_bytes(self) -> bytes:
        """The JSON text as UTF-8 on one line, without null members."""
        return self.model_dump_json(exclude_none=True).encode()


Model = TypeVar("Model", bound=WireModel)


def parsed(model: type[Model], name: str, content: bytes) -> Model:
    """The document, where `name` says in errors what it is.

    Raises:
        MarkerMalformedError: it is not in this format; never quotes what the outsider wrote.
    """
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise MarkerMalformedError(name=name, problem=f"{where}: {first['msg']}") from None


def check_size(name: str, content: bytes, limit: int) -> None:
    """Refuse what is too large before it is parsed.

    Raises:
        MarkerMalformedError: it has more than `limit` bytes.
    """
    if len(content) > limit:
        raise MarkerMalformedError(name=name, problem=f"it is larger than {limit} bytes")
