"""Messages about the catalog."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from control_plane.dsp_messages.members import Message, as_list


class CatalogRequestMessage(Message):
    """A consumer asks what is offered."""

    filter: Annotated[list[Any] | None, BeforeValidator(as_list), Field(max_length=100)] = None
